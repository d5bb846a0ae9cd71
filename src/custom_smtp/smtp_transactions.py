"""One mail on its way to an SMTP server: what was said of it so far, and what that makes of it."""

from attrs import define, field, frozen

from .errors import Refusal, RefusedError, Step
from .outgoing import Outcome, Outgoing, Receipt


@define(eq=False)
class Transaction:
    """One mail on its way.

    Attributes:
        outgoing: which mail.
        ticket: what its driver knows it by.
        refused: the recipients that the server did not take.
        taken: how many recipients it took.
        mail_refusal: its answer to MAIL, where that was no.
        answered: whether it has answered anything of this mail.
        begun: whether any of the content was handed out.
        gone: whether the piece that completes it was handed out.
        alone: whether it is sent by itself, since an earlier answer was not its own.
        receipt: that it was accepted, where that still waits for the answer to the RSET behind it.
        since: when it was begun, in the driver's seconds.
    """

    outgoing: Outgoing
    ticket: int
    refused: list[Refusal] = field(factory=list)
    taken: int = 0
    mail_refusal: RefusedError | None = None
    answered: bool = False
    begun: bool = False
    gone: bool = False
    alone: bool = False
    receipt: Receipt | None = None
    since: float = 0.0

    @property
    def turned_away(self) -> RefusedError | None:
        """Why nobody gets it, as far as the answers to MAIL and RCPT say; None while somebody may."""
        if self.mail_refusal is not None:
            return self.mail_refusal
        if self.taken or len(self.refused) < len(self.outgoing.envelope.recipients):
            return None
        # Where any of them may be taken later, the mail may: who may not is told apart.
        reply = next((each.error.reply for each in self.refused if each.error.reply.temporary), None)
        return RefusedError(reply or self.refused[0].error.reply, at=Step.RCPT)


@frozen
class Ended:
    """A mail whose end is known."""

    ticket: int
    outcome: Outcome
