"""The page behind an unsubscribe link: it asks, it thanks, and it offers the way back.

One self-contained document without scripts, pictures or anything to load, in the reader's language where it is known
here. A function of your own may take its place: see `UnsubscribeEndpoint`.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from html import escape

from attrs import frozen


class Turn(Enum):
    """What the page has to say."""

    ASK = "ask"
    """Nothing has happened: a button unsubscribes."""
    DONE = "done"
    """The reader is unsubscribed: a button takes it back."""
    BACK = "back"
    """It was taken back."""
    UNKNOWN = "unknown"
    """The link is none of ours."""


UNSUBSCRIBE_FIELDS: Mapping[str, str] = {"List-Unsubscribe": "One-Click", "by": "page"}
"""What the button of the asking page has to POST to the page's own address; ``by`` tells it from a mail program."""

RESUBSCRIBE_FIELDS: Mapping[str, str] = {"Resubscribe": "Yes"}
"""What the button of the thanking page has to POST."""


@frozen(kw_only=True)
class Page:
    """What a page is made of. Nothing of it may be put into HTML unescaped.

    Attributes:
        turn: what it has to say.
        accepts: the language tags that the reader asked for, in lower case, the most wanted first.
        recipient: whom the mail was for; empty where the link is none of ours.
        stream: what it is about; empty for all mail.
    """

    turn: Turn
    accepts: tuple[str, ...] = ()
    recipient: str = ""
    stream: str = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """What the page's button has to POST; nothing where it has none."""
        return _FIELDS.get(self.turn, {})


_FIELDS = {Turn.ASK: UNSUBSCRIBE_FIELDS, Turn.DONE: RESUBSCRIBE_FIELDS}

Pages = Callable[[Page], str]
"""Writes a whole HTML document."""


@frozen
class Words:
    """One turn of the page in one language: its heading, what it says, and its button's words."""

    heading: str
    text: str
    button: str = ""


WORDS: Mapping[str, Mapping[Turn, Words]] = {
    "en": {
        Turn.ASK: Words(
            "Unsubscribe?", "Do you want to stop receiving these emails? Nothing has changed yet.", "Unsubscribe"
        ),
        Turn.DONE: Words(
            "You are unsubscribed", "You will not receive these emails any more. Was it a mistake?", "Subscribe again"
        ),
        Turn.BACK: Words("Welcome back", "You will receive these emails again."),
        Turn.UNKNOWN: Words(
            "This link is not known here", "Please take the whole link from the email, or answer that email."
        ),
    },
    "de": {
        Turn.ASK: Words(
            "Abmelden?", "Möchten Sie diese E-Mails nicht mehr erhalten? Noch hat sich nichts geändert.", "Abmelden"
        ),
        Turn.DONE: Words(
            "Sie sind abgemeldet",
            "Sie erhalten diese E-Mails nicht mehr. War es ein Versehen?",
            "Wieder anmelden",
        ),
        Turn.BACK: Words("Willkommen zurück", "Sie erhalten diese E-Mails wieder."),
        Turn.UNKNOWN: Words(
            "Dieser Link ist hier nicht bekannt",
            "Bitte übernehmen Sie den ganzen Link aus der E-Mail, oder antworten Sie auf die E-Mail.",
        ),
    },
    "fr": {
        Turn.ASK: Words(
            "Se désabonner ?",
            "Souhaitez-vous ne plus recevoir ces e-mails ? Rien n'a encore changé.",
            "Se désabonner",
        ),
        Turn.DONE: Words(
            "Vous êtes désabonné(e)",
            "Vous ne recevrez plus ces e-mails. C'était une erreur ?",
            "Se réabonner",
        ),
        Turn.BACK: Words("Bon retour", "Vous recevrez de nouveau ces e-mails."),
        Turn.UNKNOWN: Words(
            "Ce lien n'est pas connu ici",
            "Veuillez reprendre le lien entier de l'e-mail, ou répondre à cet e-mail.",
        ),
    },
    "es": {
        Turn.ASK: Words(
            "¿Darse de baja?",
            "¿Desea dejar de recibir estos correos? Todavía no ha cambiado nada.",
            "Darse de baja",
        ),
        Turn.DONE: Words(
            "Se ha dado de baja",
            "Ya no recibirá estos correos. ¿Ha sido un error?",
            "Volver a suscribirse",
        ),
        Turn.BACK: Words("Bienvenido de nuevo", "Volverá a recibir estos correos."),
        Turn.UNKNOWN: Words(
            "Este enlace no se conoce aquí",
            "Copie el enlace entero del correo, o responda a ese correo.",
        ),
    },
    "it": {
        Turn.ASK: Words(
            "Annullare l'iscrizione?",
            "Non vuole più ricevere queste e-mail? Finora non è cambiato nulla.",
            "Annulla l'iscrizione",
        ),
        Turn.DONE: Words(
            "Iscrizione annullata",
            "Non riceverà più queste e-mail. È stato un errore?",
            "Iscriviti di nuovo",
        ),
        Turn.BACK: Words("Bentornato", "Riceverà di nuovo queste e-mail."),
        Turn.UNKNOWN: Words(
            "Questo link non è conosciuto qui",
            "Copi il link intero dall'e-mail, oppure risponda a quella e-mail.",
        ),
    },
    "nl": {
        Turn.ASK: Words("Afmelden?", "Wilt u deze e-mails niet meer ontvangen? Er is nog niets veranderd.", "Afmelden"),
        Turn.DONE: Words(
            "U bent afgemeld", "U ontvangt deze e-mails niet meer. Was het een vergissing?", "Opnieuw aanmelden"
        ),
        Turn.BACK: Words("Welkom terug", "U ontvangt deze e-mails weer."),
        Turn.UNKNOWN: Words(
            "Deze link is hier niet bekend", "Neem de hele link over uit de e-mail, of beantwoord die e-mail."
        ),
    },
    "pt": {
        Turn.ASK: Words(
            "Cancelar a subscrição?",
            "Deseja deixar de receber estes e-mails? Ainda nada mudou.",
            "Cancelar a subscrição",
        ),
        Turn.DONE: Words(
            "Subscrição cancelada",
            "Não receberá mais estes e-mails. Foi um engano?",
            "Subscrever de novo",
        ),
        Turn.BACK: Words("Bem-vindo de volta", "Receberá de novo estes e-mails."),
        Turn.UNKNOWN: Words(
            "Esta ligação não é conhecida aqui",
            "Copie a ligação inteira do e-mail, ou responda a esse e-mail.",
        ),
    },
}
"""By language, then by turn. English is for everybody else."""

_DEFAULT = "en"


def plain_page(page: Page) -> str:
    """The page as it is without a template of your own: HTML for keyboards, screen readers, small screens and dark."""
    language = next((tag for wanted in page.accepts if (tag := wanted.partition("-")[0]) in WORDS), _DEFAULT)
    words = WORDS[language][page.turn]
    return _DOCUMENT.format(
        language=language,
        heading=escape(words.heading),
        text=escape(words.text),
        form=_form(page.fields, words.button) if page.fields else "",
    )


def _form(fields: Mapping[str, str], button: str) -> str:
    hidden = "".join(f'<input type="hidden" name="{escape(n)}" value="{escape(v)}">' for n, v in fields.items())
    # Without an action it goes to the page's own address, wherever that is mounted.
    return f'<form method="post">{hidden}<button type="submit">{escape(button)}</button></form>\n'


_DOCUMENT = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{heading}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.125rem/1.5 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText }}
main {{ max-width: 32rem; margin: 12vh auto; padding: 0 1.25rem }}
h1 {{ font-size: 1.6rem; line-height: 1.25 }}
button {{ font: inherit; min-height: 2.75rem; padding: .5rem 1.5rem; border: 2px solid; border-radius: .4rem;
  background: CanvasText; color: Canvas; cursor: pointer }}
button:focus-visible {{ outline: 3px solid Highlight; outline-offset: 3px }}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{text}</p>
{form}</main>
</body>
</html>
"""


_RANGE = re.compile(
    r"[ \t]*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8})[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)
_LONGEST_HEADER = 1_000


def languages(accept_language: str) -> tuple[str, ...]:
    """The tags of an Accept-Language header, in lower case, the most wanted first (RFC 9110 section 12.5.4)."""
    found = [_RANGE.fullmatch(part) for part in accept_language[:_LONGEST_HEADER].split(",")]
    wanted = [(float(one[2] or 1), one[1].lower()) for one in found if one is not None]
    return tuple(tag for weight, tag in sorted(wanted, key=lambda each: -each[0]) if weight > 0)
