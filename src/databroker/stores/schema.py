"""The tables of a store in a relational database, whichever it is."""

import sqlalchemy as sa

FORMAT = 1
"""The version of the layout that this package writes."""

metadata = sa.MetaData()

# SQLite takes an INTEGER PRIMARY KEY for the row id itself, and only that type's name.
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    comment="format, min_reader, min_writer: versions of the layout; changed: counts the writes",
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("time", sa.Float, comment="of the Run Start, NULL where that is no number"),
    sa.Column("place", sa.Float, nullable=False, comment="the time; -infinity where it is NULL"),
    sa.Column("scan_id", sa.BigInteger),
    sa.Column("start", sa.LargeBinary, nullable=False),
    sa.Column("stop", Id, comment="the ordinal of the last Run Stop"),
    sa.Column("ordinals", Id, nullable=False, comment="how many documents have one"),
    sa.Column("version", sa.BigInteger, nullable=False, comment="grows with each write"),
    sa.Column("changed", sa.BigInteger, nullable=False, comment="the store's count at that write"),
    sa.Column("indexed", sa.SmallInteger, nullable=False, comment="0: the index lacks values"),
    sa.Column("deleted", sa.Float, comment="when the Run was marked as deleted"),
    sa.Index("run_place", "place", "id", "deleted"),
    sa.Index("run_scan_id", "scan_id", "place", "id"),
    sa.Index("run_time", "time"),
    sa.Index("run_changed", "changed"),
)

# Searches ask for the Runs whose index lacks values beside those that match; they are few.
sa.Index(
    "run_unindexed",
    run.c.indexed,
    sqlite_where=run.c.indexed == 0,
    postgresql_where=run.c.indexed == 0,
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("run", Id, nullable=False),
    sa.Column("ordinal", Id, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, comment="of an Event Descriptor: its name"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("run", "ordinal"),
    sa.Index("document_uid", "uid", "kind", "run"),
    comment="every document but the Run Start and those that come in rows",
)

page = sa.Table(
    "page",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("run", Id, nullable=False),
    sa.Column("parent", Id, nullable=False, comment="ordinal of the descriptor or Resource"),
    sa.Column("first", Id, nullable=False, comment="which row of the parent comes first"),
    sa.Column("count", Id, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, comment="all columns; NULL where each is a chunk"),
    sa.Index("page_rows", "run", "parent", "first", unique=True),
    comment="rows of documents, column by column",
)

chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("page", Id, nullable=False),
    sa.Column("place", Id, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("page", "place"),
    comment="one column of a page that is large",
)

tail = sa.Table(
    "tail",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("run", Id, nullable=False),
    sa.Column("parent", Id, nullable=False),
    sa.Column("first", Id, nullable=False),
    sa.Column("count", Id, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("tail_rows", "run", "parent", "first", unique=True),
    comment="rows of documents, document by document, until they become a page",
)

aside = sa.Table(
    "aside",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("problem", sa.Text, nullable=False, comment="conflict or orphan"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("run", sa.Text, comment="the uid of the Run, where it is known"),
    sa.Column("parent", sa.Text, comment="of an orphan: the uid that it waits for"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("aside_parent", "parent"),
    comment="documents that have no place",
)

revision = sa.Table(
    "revision",
    metadata,
    sa.Column("run", Id, nullable=False),
    sa.Column("ordinal", Id, nullable=False, comment="of the document that is revised"),
    sa.Column("number", Id, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("run", "ordinal", "number"),
    comment="what was corrected later; the recorded document stays as it is",
)

path = sa.Table(
    "path",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
)

value = sa.Table(
    "value",
    metadata,
    sa.Column("path", Id, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("time", sa.Float, nullable=False, comment="the place of the Run"),
    sa.Column("run", Id, nullable=False),
    sa.PrimaryKeyConstraint("path", "value", "time", "run"),
    sqlite_with_rowid=False,
    comment="what the metadata of Runs say, for search",
)


def text_key(text: str) -> str:
    r"""Return a text that any database can hold and compare, reversibly.

    Lone surrogates and NULs are escaped, and so is the backslash where it stands.

    Examples
    --------
    >>> text_key("primary"), text_key("a\0b")
    ('primary', 'a\\x00b')
    """
    if "\0" in text or "\\" in text or _has_surrogates(text):
        return text.encode("unicode_escape").decode("ascii")
    return text


def text_of(key: str) -> str:
    r"""Return the text that `text_key` made this key of.

    Examples
    --------
    >>> text_of("a\\x00b")
    'a\x00b'
    """
    return key.encode("ascii").decode("unicode_escape") if "\\" in key else key


def _has_surrogates(text: str) -> bool:
    return (
        any("\ud800" <= character <= "\udfff" for character in text)
        if not text.isascii()
        else False
    )
