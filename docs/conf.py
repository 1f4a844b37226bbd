"""How Sphinx builds the documentation: ``sphinx-build -W -b html docs docs/_build/html``."""

import databroker

project = "Databroker"
author = "the Databroker contributors"
copyright = "2026, the Databroker contributors"
release = version = databroker.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",  # for its role `autolink`, see default_role
]
exclude_patterns = ["_build"]

# Text

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

# The reference

# Names in single backticks become links where they can be imported, and italics otherwise.
default_role = "autolink"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings tell the types, in the words of the users
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"

# Every link must lead somewhere, but for those into packages that are documented elsewhere.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(event_model|intake|numpy|np|xarray|dask|bluesky)\..*"),
]

# The pages

html_theme = "alabaster"
html_title = f"Databroker {release}"
html_theme_options = {
    "description": "Gives scientists their experiment back",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "250px",
}
html_show_sphinx = False
html_copy_source = False
