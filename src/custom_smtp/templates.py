"""Templates: one mail for many people, compiled once and filled in for each.

``{{ name }}`` in a mail's subject, its texts, the names of its sender and of whom answers go to, and the values of its
further headers is a field. There is nothing else: no conditions and no loops; what needs them is rendered before, by
Jinja2 for example, and comes as a mail of its own. A value is escaped for where it stands, which is found out once.
"""

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from ._template_fields import merge_mail
from .addresses import Address
from .checks import ConfigurationError, MailError, shown
from .headers import Headers
from .mail import Mail
from .merge_fields import Merged, Place, Value, filled, one_line_value, plain_value, text_of_value
from .merging import FilledMail, MergeMail
from .urls import followed, location


def _a_mail(mail: Mail) -> Mail:
    # Checked before anything is looked for in it, which attrs' validators come too late for.
    if not isinstance(mail, Mail):
        raise MailError(f"a template is made of a Mail, and this is {type(mail).__name__}: write Template(Mail(...))")
    return mail


def _names(fields: Iterable[str] | None) -> frozenset[str] | None:
    if fields is None:
        return None
    if isinstance(fields, str) or not isinstance(fields, Iterable):
        raise ConfigurationError(f"fields is {shown(fields)}, not several names: write fields=['name']")
    return frozenset(fields)


@frozen(eq=False)
class Template:
    """A mail with fields, such as ``{{ name }}``, that is filled in for each person.

    All that is the same for everybody is found out and written once; hand what `fill` gives to a sender. ``{{{{`` is
    what stands for two braces, and ``{{unsubscribe_url}}`` is no field (see `Unsubscribe`).

    Attributes:
        mail: the mail, fields and all. Its addressee plays no part.
        fields: the fields that may stand in it; None for any.

    Raises:
        MailError: a field stands where its value could not be written safely, is none of ``fields``, or is not well
            written; the message says what to do.
    """

    mail: Mail = field(converter=_a_mail)
    fields: frozenset[str] | None = field(default=None, converter=_names)
    merge: MergeMail = field(init=False, repr=False)
    names: tuple[str, ...] = field(init=False)
    """The fields that each person must have a value for."""
    _in_headers: frozenset[str] = field(init=False, repr=False)
    _in_structure: frozenset[str] = field(init=False, repr=False)
    _as_urls: frozenset[str] = field(init=False, repr=False)
    _in_paths: frozenset[str] = field(init=False, repr=False)
    _fills_headers: bool = field(init=False, repr=False)

    @merge.default
    def _found(self) -> MergeMail:
        return merge_mail(self.mail)

    @names.default
    def _of_fields(self) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(slot.name for slot in self.merge.slots))
        if self.fields is not None and (unknown := [name for name in names if name not in self.fields]):
            raise MailError(
                f"the mail has the field {unknown[0]}, which is none of {', '.join(sorted(self.fields)) or 'no fields'}"
                ": correct it, or add it to Template(fields=...)"
            )
        return names

    @_in_headers.default
    def _names_in_headers(self) -> frozenset[str]:
        return self._names_in(Place.HEADER, Place.STRUCTURE, Place.QUOTES, Place.JSON)

    @_in_structure.default
    def _names_in_structure(self) -> frozenset[str]:
        return self._names_in(Place.STRUCTURE)

    @_as_urls.default
    def _names_as_urls(self) -> frozenset[str]:
        return self._names_in(Place.HTML_URL, Place.TEXT_URL)

    @_in_paths.default
    def _names_in_paths(self) -> frozenset[str]:
        return self._names_in(Place.PATH)

    @_fills_headers.default
    def _a_header_has_a_field(self) -> bool:
        return any(value.slots for _, value in self.merge.headers)

    def _names_in(self, *places: Place) -> frozenset[str]:
        return frozenset(slot.name for slot in self.merge.slots if slot.place in places)

    def fill(self, to: Address, values: Mapping[str, Value], /) -> FilledMail:
        """The mail for one person.

        Args:
            to: who it is for.
            values: what the fields say, by their names. What is not a field of this mail is passed over.

        Raises:
            MailError: a field has no value, or one that cannot stand where it has to; the message names it.
        """
        if not isinstance(to, Address):
            raise MailError(f"the mail is to {shown(to)}: write Address.parse('Ada <ada@example.net>')")
        said = {name: self._said(name, values) for name in self.names}
        merge, mail = self.merge, self.merge.mail
        return FilledMail(
            merge=merge,
            values=said,
            to=to,
            sender=_named(mail.sender, merge.sender_name, said),
            reply_to=None if mail.reply_to is None else _named(mail.reply_to, merge.reply_to_name, said),
            subject=filled(merge.subject, said) if merge.subject.slots else mail.subject,
            headers=self._headers(said),
        )

    def _headers(self, said: Mapping[str, str]) -> Headers:
        if not self._fills_headers:
            return self.merge.mail.headers
        return tuple((name, filled(value, said)) for name, value in self.merge.headers)

    def _said(self, name: str, values: Mapping[str, Value]) -> str:
        try:
            value = text_of_value(name, values[name])
        except KeyError as error:
            raise MailError(f"the field {name} has no value: give one, even if that is an empty text") from error
        if name in self._in_headers:
            one_line_value(name, value)
        if name in self._in_structure:
            plain_value(name, value)
        if name in self._as_urls:
            _require_url(name, value)
        if name in self._in_paths and value in (".", ".."):
            raise MailError(
                f"the field {name} is {value!r} in the path of a URL, and would lead to another: correct it"
            )
        return value


def _require_url(name: str, value: str) -> None:
    if followed(value) != value or " " in value or location(value) is None or not set(value).isdisjoint('<>"'):
        raise MailError(
            f"the field {name} is {shown(value)}, and stands where a URL must be: give one whole, with http or https, "
            "spaces percent-encoded"
        )


def _named(address: Address, name: Merged, values: Mapping[str, str]) -> Address:
    return evolve(address, name=filled(name, values)) if name.slots else address
