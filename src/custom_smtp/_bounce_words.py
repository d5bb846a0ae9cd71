"""What bounce mails without a form, answers of machines and complaints are known by, as tables. Data alone.

A row's source stands beside it: the standard, the software that writes so, a page, or a sample in ``tests/bounces``.
"""

from collections.abc import Mapping

# ---- letters ---------------------------------------------------------------------------------------------------------

DAEMONS: tuple[str, ...] = (
    "mailer-daemon",  # RFC 5321 leaves it open; sendmail, qmail, Postfix, Exim, Gmail, Yahoo
    "mailerdaemon",
    "mailer_daemon",
    "mail-daemon",
    "maildaemon",
    "mail daemon",
    "post_master",  # Verizon: post_master@vtext.com
    "postmaster",  # RFC 5321 section 4.5.1; Exchange, IMail, Domino, LSMTP
    "mdaemon",  # MDaemon: flufl.bounce, simple_01
    "mail delivery",  # sendmail "Mail Delivery Subsystem", Postfix and Exim "Mail Delivery System"
    "maildelivery",
    "mail.delivery",
    "delivery subsystem",  # MailEnable: flufl.bounce, simple_41
    "microsoftexchange",  # Exchange 2007 and later: MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@
    "microsoft outlook",
    "microsoft exchange",
    "system administrator",  # Exchange 5.5 and Outlook: flufl.bounce, microsoft_01
    "systemadministrator",
    "mail administrator",  # http://dream.jp/support/techinfo/mail/error/error05.html
    "mail-administrator",
    "mailadmin",
    "mail system",
    "jetmail system",  # flufl.bounce, bounce_01
    "smtp_mail_service",  # flufl.bounce, bounce_02
    "antivirus_for_smtp",  # Symantec: flufl.bounce, simple_22
    "imss@",  # InterScan: flufl.bounce, simple_15
    "ndr@",  # flufl.bounce, simple_43
    "email-bounces.amazonses.com",  # Amazon SES: MAILER-DAEMON@email-bounces.amazonses.com
    "bounce-notification",
    "系统退信",  # QQ: https://qqmailbox.com/transceivers/169.html
)
"""What stands in the From of such a mail, in lower case."""

SUBJECTS: tuple[str, ...] = (
    "undeliver",  # Exchange, IMail, Postfix: "Undeliverable: ...", "Undelivered Mail Returned to Sender"
    "delivery status notification",  # RFC 3464 section 1; Gmail, Microsoft SMTPSVC
    "delivery failure",  # Domino, Yahoo, MailEnable, Symantec
    "delivery fail",
    "delivery error",
    "delivery report",
    "delivery problem",
    "delivery notification",
    "delivery delay",
    "delivery warning",
    "delivery has failed",
    "delivery unsuccessful",
    "delivery unsuccesful",
    "failure notice",  # QSBMF: https://cr.yp.to/proto/qsbmf.txt
    "failure delivery",  # Yahoo: flufl.bounce, yahoo_01
    "failed delivery",
    "failed mail",
    "failed to deliver",
    "failed: ",
    "returned mail",  # sendmail
    "returned email",
    "returned message",
    "returned to sender",
    "returning to sender",
    "returning message to sender",  # Exim
    "mail delivery failed",
    "mail failed",
    "mail failure",  # Exim before 2
    "mail error",  # JetMail
    "mail not delivered",
    "mail could not be delivered",
    "email could not be delivered",
    "message could not be delivered",
    "message not delivered",
    "message status - undeliverable",
    "message delayed",
    "message undeliverable",
    "message you sent blocked",
    "mail system error",
    "mail delivery problem",
    "could not be delivered",
    "could not deliver",
    "couldn't be delivered",
    "couldn't deliver",
    "cannot be delivered",
    "can not be delivered",
    "can't be delivered",
    "non-delivery",
    "nondeliverable",
    "non delivery",
    "not deliverable",
    "not delivered",
    "not read: undeliver",
    "non remis",  # Exchange in French
    "unzustellbar",  # Exchange in German
    "nicht zugestellt",
    "zustellung fehlgeschlagen",
    "zustellung verzögert",
    "nicht zustellbar",
    "échec de la remise",
    "échec de remise",
    "echec de la remise",
    "non distribu",
    "no se puede entregar",  # Exchange in Spanish
    "no se ha podido entregar",
    "no entregado",
    "error en la entrega",
    "non recapitabile",  # Exchange in Italian
    "mancato recapito",
    "mancata consegna",
    "não entregue",  # Exchange in Portuguese
    "não é possível entregar",
    "nao entregue",
    "falha na entrega",
    "onbestelbaar",  # Exchange in Dutch
    "niet bezorgd",
    "niedostarcz",  # Exchange in Polish
    "nie można dostarczyć",
    "недоставлен",
    "не доставлен",
    "не удается доставить",
    "доставка не удалась",
    "ваше сообщение не доставлено",  # mail.ru: flufl.bounce, simple_39
    "nelze doručit",
    "nedoručiteln",
    "olevererbart",
    "kan inte levereras",
    "kan ikke leveres",
    "toimitus epäonnistui",
    "teslim edilemedi",
    "配信不能",
    "配信できません",
    "配信エラー",
    "送信エラー",
    "未配信",
    "未送達",
    "配達不能",
    "退信",  # QQ, NetEase: https://qqmailbox.com/transceivers/169.html
    "无法送达",
    "無法傳遞",
    "未送达",
    "未传递",
    "投递失败",
    "전달되지",
    "배달 실패",
    "반송",
    "warning: could not send",  # sendmail: deliver.c
    "warning: message",  # Exim: deliver.c
    "delayed mail",  # Postfix: "Delayed Mail (still being retried)"
    "delayed delivery",
    "delayed: ",
    "user unknown",  # MDaemon: "Warning: ... - User unknown!"
    "unknown user",
    "automatically rejected mail",  # Dovecot: flufl.bounce, simple_38
    "rejected mail",
    "message rejected",
    "processing error",  # usa.net: flufl.bounce, simple_02
    "nameserver error report",  # phquery: flufl.bounce, simple_37
    "[postmaster] email delivery failure",
    "mail rejected",
    "permanent delivery failure",
    "error sending",
    "problem delivering",
    "utilisateur non recens",  # MIMEsweeper: flufl.bounce, simple_13
)
"""What stands in their Subject, in lower case, decoded."""

FAILURES: tuple[str, ...] = (
    "could not be delivered",
    "couldn't be delivered",
    "cannot be delivered",
    "can not be delivered",
    "could not be sent",
    "could not be reached",
    "could not be processed",
    "could not deliver",
    "could not send",
    "couldn't deliver",
    "cannot deliver",
    "can't deliver",
    "unable to deliver",
    "not able to deliver",
    "wasn't able to deliver",
    "not be delivered",
    "not been delivered",
    "not delivered",
    "undeliverable",
    "undelivered",
    "non-delivery",
    "not deliverable",
    "did not reach",
    "did not receive a copy",
    "failed to deliver",
    "failed to reach",
    "delivery failed",
    "delivery to the following",
    "delivery has failed",
    "delivery failure",
    "delivery attempt",
    "delivery error",
    "delivery status",
    "delivery of email",
    "delevery to the following",  # sic: flufl.bounce, simple_32
    "fatal error",
    "following address",
    "following recipient",
    "failed address",
    "failed recipient",
    "was rejected",
    "has been rejected",
    "been returned",
    "is being returned",
    "automatically rejected",
    "returned mail",
    "returned message",
    "returned to sender",
    "permanent error",
    "permanent failure",
    "transcript of session",
    "error-for:",  # LSMTP: flufl.bounce, simple_18
    "error description",
    "error type",
    "remote host said",
    "rcpt to",
    "delivery problems",
    "delivery completed with error",
    "unreachable",
    "unknown user",
    "user unknown",
    "no such user",
    "mailbox is full",
    "mailbox full",
    "over quota",
    "quota exceeded",
    "is no longer",
    "wasn't found",
    "not found",
    "blocked",
    "wurde nicht zugestellt",
    "nicht zugestellt werden",
    "nicht zugestellt",
    "unzustellbar",
    "konnte nicht",
    "fehler bei der",
    "n'a pas pu",
    "n'a pu être",
    "pas pu etre delivre",
    "échec de la remise",
    "non remis",
    "no se pudo",
    "no pudo ser entregado",
    "no se puede entregar",
    "no ha podido",
    "non è stato possibile",
    "non è stato recapitato",
    "impossibile recapitare",
    "não pôde ser entregue",
    "nao pode ser enviada",
    "não foi possível",
    "falha na entrega",
    "kon niet worden bezorgd",
    "niet bezorgd",
    "niet worden afgeleverd",
    "nie można dostarczyć",
    "nie została dostarczona",
    "nie mogła zostać",
    "не может быть доставлено",
    "не доставлено",
    "не было доставлено",
    "не удалось доставить",
    "не удается доставить",
    "nelze doručit",
    "kunde inte levereras",
    "kunne ikke leveres",
    "teslim edilemedi",
    "配信できません",
    "配信不能",
    "送信できません",
    "送信できませんでした",
    "届けることが出来ません",
    "お届けできません",
    "配達できません",
    "未能送达",
    "无法送达",
    "无法投递",
    "无法发送",
    "投递失败",
    "被退回",
    "退信",
    "無法傳遞",
    "전달하지 못했",
    "전달되지",
    "배달되지",
)
"""What such a mail says of itself, in lower case (flufl.bounce's samples, and the servers' own texts named above)."""

DELAYS: tuple[str, ...] = (
    "has not yet been delivered",  # Exim: deliver.c
    "not yet been delivered",
    "have not yet been delivered",
    "delivery attempts will continue",
    "will continue to attempt delivery",
    "we will continue to try",
    "attempts will continue to be made",
    "will be retried",  # Gmail: "Message will be retried for 2 more day(s)"
    "will keep trying",  # Postfix: "It will be retried until it is 5 days old"
    "still being retried",
    "still trying to deliver",
    "this is a warning message only",  # sendmail: savemail.c
    "you do not need to resend",
    "do not need to resend your message",
    "has been delayed",  # Exchange: "Delivery to the following recipients has been delayed"
    "delivery is delayed",
    "has been postponed",
    "advisory-only",
    "could not send message for past",
    "it will be retried until",
    "message is delayed for more than",  # OpenSMTPD: smtpd/bounce.c
    "only a temporary failure report",
    "temporarily delayed",
    "delivery incomplete",  # Gmail
    "wird weiterhin versucht",
    "zustellung verzögert",
    "wurde noch nicht zugestellt",
    "a été retardé",
    "se ha retrasado",
)
"""What says that it is tried on: no failure yet. "(Failure)" in a Subject says otherwise."""

DELAY_SUBJECTS: tuple[str, ...] = (
    "(delay)",  # Gmail, Microsoft SMTPSVC: "Delivery Status Notification (Delay)"
    "delayed mail",  # Postfix
    "delayed: ",  # Exchange
    "zustellung verzögert",  # Exchange in German
    "warning: could not send",  # sendmail: savemail.c
)
"""What says the same in a Subject."""

RETURNED_MARKS: tuple[str, ...] = (
    "original message",
    "original mail",
    "original e-mail",
    "original email",
    "originalmail",
    "originalnachricht",
    "original-nachricht",
    "ursprüngliche nachricht",
    "message d'origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "mensagem original",
    "oorspronkelijk bericht",
    "oryginalna wiadomość",
    "исходное сообщение",
    "元のメッセージ",
    "原始邮件",
    "原邮件",
    "copy of the message",  # QSBMF, Exim
    "copy of your message",
    "copy of the mail",
    "is a copy of",
    "copy of the first part",
    "below this line",
    "below the next line",
    "message header",
    "message text follows",
    "message body",
    "message follows",
    "mail follows",
    "message below",
    "returned message",
    "returned mail",
    "unsent message",
    "undelivered message",
    "rejected message",
    "forwarded message",
    "source mail",
    "old message",
    "the header and top",
    "header of the",
    "headers of the",
    "lines of your",
    "your message reads",
    "mail content",
    "summary of the undelivered",
    "start of returned",
)
"""What opens the mail that is returned: in a line that begins with a rule of dashes or the like, or ends in a colon or
"follows"."""

LABELS: tuple[str, ...] = (
    "rcpt to:",
    "rcpt to",
    "recipient:",
    "recipients:",
    "recipient(s):",
    "recipient address:",
    "recipient address",
    "intended recipient:",
    "failed recipient:",
    "failed address:",
    "failed addresses:",
    "final-recipient: rfc822;",
    "final-recipient:rfc822;",
    "original-recipient: rfc822;",
    "original-recipient:rfc822;",
    "rfc822;",
    "smtp:",
    "smtp=",
    "error-for:",
    "unknown user:",
    "user unknown:",
    "no such user:",
    "undeliverable to",
    "undeliverable to:",
    "undeliverable:",
    "attempts:",
    "userid:",
    "destination:",
    "destinataire:",
    "destinataire :",
    "destinatario:",
    "destinatário:",
    "empfänger:",
    "empfänger :",
    "ontvanger:",
    "odbiorca:",
    "получатель:",
    "受取人:",
    "宛先:",
    "收件人:",
    "收件人\uff1a",
    "deliver message to",
    "deliver your message to",
    "deliver mail to",
    "deliver to",
    "delivered to",
    "delivery to",
    "delivery to:",
    "sent to",
    "message to",
    "mail to",
    "addressed to",
    "was addressed,",
    "your message for",
    "mailbox is full:",
    "mailbox full:",
    "quota violation for",
    "gateway for",
    "did not reach the following recipient:",
    "did not reach",
    "did not reach:",
    "wasn't delivered to",
    "local mailbox",
    "mailbox",
    "envoyé à",
    "remis à",
    "delivre a",
    "remitted to",
    "generated from",
    "expanded from:",
    "originally addressed to",
    "para:",
    "user:",
    "address:",
    "email address:",
    "adresse:",
    "dirección:",
    "indirizzo:",
    "account:",
)
"""What stands right in front of the address that failed."""

NOT_THEIRS: tuple[str, ...] = (
    "from",
    "from:",
    "sender",
    "sender:",
    "sender address",
    "von:",
    "de:",
    "da:",
    "mail from:",
    "contact",
    "contact:",
    "reply-to:",
    "cc:",
    "bcc:",
    "message-id:",
    "help,",
    "e-mail",
    "e-mail:",
    "forward",
    "mailto:",
    "id",
    "id:",
    "send mail to",
    "please contact",
    "reply to",
    "write to",
    "mail from",
    "absender:",
    "expéditeur:",
    "remitente:",
    "mittente:",
    "发件人:",
    "发件人\uff1a",
)
"""What stands right in front of somebody else's address."""

OWN_NAMES: tuple[str, ...] = (
    "postmaster",
    "mailer-daemon",
    "mailerdaemon",
    "abuse",
    "support",
    "helpdesk",
    "hostmaster",
    "noc",
    "help",
    "mailadmin",
    "mdaemon",
)
"""Whose addresses a server names so that somebody can be asked (RFC 2142)."""

# ---- answers of machines ---------------------------------------------------------------------------------------------

AUTO_REPLY_SUBJECTS: tuple[str, ...] = (
    "automatic reply",  # Exchange 2010 and later
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "automatic response",
    "automated reply",
    "automated response",
    "auto:",  # RFC 5230 section 4.4 (Sieve vacation)
    "automatically generated reply",
    "out of office",  # Exchange 2007 and earlier
    "out of the office",
    "out-of-office",
    "i am out of",
    "i'm out of",
    "away from my mail",  # vacation(1)
    "away from the office",
    "on vacation",
    "vacation reply",
    "vacation:",
    "vacation response",
    "abwesend",
    "abwesenheit",
    "automatische antwort",
    "automatische abwesenheit",
    "autoantwort",
    "urlaub",
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "absent du bureau",
    "absence :",
    "message d'absence",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "assente",
    "resposta automática",
    "resposta automatica",
    "fora do escritório",
    "ausência",
    "automatisch antwoord",
    "automatisch bericht",
    "afwezig",
    "automatische beantwoording",
    "autosvar",
    "automatiskt svar",
    "automatisk svar",
    "automaattinen vastaus",
    "poissaolo",
    "autoodpowiedź",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "nieobecność",
    "automatická odpověď",
    "automatikus válasz",
    "răspuns automat",
    "otomatik yan\u0131t",
    "автоответ",
    "автоматический ответ",
    "автоматична відповідь",
    "вне офиса",
    "в отпуске",
    "自動応答",
    "自動返信",
    "不在通知",
    "不在のお知らせ",
    "自动回复",
    "自动答复",
    "自動回覆",
    "자동 회신",
    "자동회신",
    "부재중",
    "is out of the office",  # Domino; after the person's name
)
"""What such a Subject begins with, in lower case, after any "Re:". Alone it counts only where nothing speaks of a list.

Exchange's own in its languages; RFC 5230; https://github.com/jpmckinney/multi_mail/wiki/Detecting-autoresponders
"""

AUTO_REPLY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "auto-submitted": ("auto-replied",),  # RFC 3834 section 5
    "precedence": ("auto_reply", "auto-reply"),  # BoxTrapper, cPanel
    "x-precedence": ("auto_reply", "auto-reply"),
    "x-autoreply": ("",),  # Gmail
    "x-autorespond": ("",),  # BoxTrapper, cPanel, autorespond
    "x-auto-response-from": ("",),
    "x-autoreply-from": ("",),  # Domain Technologie Control
    "x-mail-autoreply": ("",),
    "x-autogenerated": ("reply", "letter"),  # CommuniGate Pro
    "x-fc-machinegenerated": ("true",),  # FirstClass
    "x-post-messageclass": ("9; autoresponder",),  # Mailtraq
    "delivered-to": ("autoresponder",),  # qmail's autoresponder
}
"""What a header field of such a mail begins with; an empty text stands for any value.

https://www.arp242.net/autoreply.html; https://github.com/jpmckinney/multi_mail/wiki/Detecting-autoresponders
"""

# ---- complaints ------------------------------------------------------------------------------------------------------

COMPLAINTS: frozenset[str] = frozenset({"abuse", "fraud", "virus", "other", "miscategorized"})
"""The feedback types of RFC 5965 section 7.3 that a person sends since they do not want the mail. ``not-spam`` says the
contrary; ``auth-failure`` (RFC 6591) and ``dmarc`` are told by machines."""

UNSUBSCRIPTIONS: frozenset[str] = frozenset({"opt-out", "opt-out-list"})
"""Feedback types of the drafts before RFC 5965 (draft-shafranovich-feedback-report), still sent."""

COMPLAINERS: Mapping[str, str] = {
    "staff@hotmail.com": "x-hmxmroriginalrecipient",
}
"""Who sends complaints in a form of their own: the mail alone, as a part. And the field of it that names the person.

Hotmail: http://carolinanet.helpserve.com/index.php?_m=knowledgebase&_a=viewarticle&kbarticleid=6
"""

REDACTED = ("redacted", "removed", "hidden", "undisclosed", "anonymous", "suppressed", "unknown")
"""What stands for a person's name where a complaint does not tell it (RFC 6590)."""
