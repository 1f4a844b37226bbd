"""How Sphinx builds the documentation: ``sphinx-build -W -b html docs docs/_build/html``."""

import inspect

from numpydoc.xref import DEFAULT_LINKS

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
myst_heading_anchors = 3

# The reference

# Names in single backticks become links where they can be imported, and italics otherwise.
default_role = "autolink"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings tell the types, in the words of the users
autosummary_generate = False
numpydoc_show_class_members = False

# Types are words, but for ours, which are links.
LINKS = {
    "RunStore": ":class:`RunStore <databroker.stores.protocol.RunStore>`",
    "databroker.v2.Broker": ":class:`databroker.v2.Broker`",
    **{
        f"databroker.errors.{name}": f":exc:`~databroker.errors.{name}`"
        for name, item in vars(databroker.errors).items()
        if inspect.isclass(item)
    },
}
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {word: word for word in DEFAULT_LINKS} | LINKS

# Every link must lead somewhere, but for those into packages that are documented elsewhere.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(event_model|numpy|xarray)\..*")]

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


def signature_of_init(app, what, name, obj, options, signature, return_annotation):
    """Show the arguments of a class that derives from intake's, which take anything."""
    ours = what == "class" and obj.__module__.startswith("databroker.")
    if not ours or "__init__" not in vars(obj):
        return None
    _, *parameters = inspect.signature(obj.__init__).parameters.values()
    bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare)), None


def setup(app):
    app.connect("autodoc-process-signature", signature_of_init)
