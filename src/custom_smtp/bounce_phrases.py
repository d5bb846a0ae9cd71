"""Why a mail came back, as tables: which words and codes of servers mean what. Data alone: `bounce_causes` reads by it.

Each row names its source: the standard, the server's own source text or documentation, a mail service's page on its
errors, or a public collection of what servers answer. Where servers say one thing in several wordings, the source shows
the kind, and the row holds the near wordings too. Old rows stay when a service rewords its answers: old servers live
long.

A phrase is words in a row, anywhere in an answer; case, punctuation and apostrophes count for nothing. The first row
that holds decides, so the more exact stand first.
"""

from collections.abc import Mapping

from attrs import field, frozen

from .events import BounceKind, Cause


def _parted(phrases: str) -> tuple[str, ...]:
    return tuple(phrases.split(" | "))


@frozen
class Phrases:
    """What one source says a cause is told by.

    Attributes:
        cause: the cause.
        source: who says so.
        phrases: given as one text, parted by bars.
    """

    cause: Cause
    source: str
    phrases: tuple[str, ...] = field(converter=_parted)


_4DEM = "https://university.4dem.it/article/723-elenco-delle-motivazioni-di-soft-bounce"
_AOL = "http://postmaster.aol.com/errors/"
_BYTECAMP = "https://www.bytecamp.net/de/faq/email/zustellen.html"
_COURIER = "https://www.courier-mta.org (courier/module.local, courier/module.esmtp)"
_DOMINO = "HCL Domino: the router's own delivery failure report"
_EXCHANGE = "https://learn.microsoft.com/exchange/mail-flow/non-delivery-reports-and-bounce-messages"
_EXIM = "https://github.com/Exim/exim (src/src/deliver.c, receive.c, routers, transports)"
_GMAIL = "https://support.google.com/a/answer/3726730"
_GMX = "https://smtp.codes/unitedinternet/"
_ICLOUD = "https://smtp.codes/icloud"
_ICOREMAIL = "https://www.icoremail.vip/support/index.php?cate_id=84"
_JAPAN = "https://faq.megaegg.jp/faq_detail.html?id=296"
_MAILRU = "https://mailout.ru/2015/09"
_MICROSOFT_515 = "https://support.microsoft.com/topic/fix-ndr-error-550-5-7-515-in-outlook-com"
_MICROSOFT = "https://www.spamresource.com/2023/09/microsoft-multiple-types-of-invalid.html"
_PHP_BOUNCE = "https://plugins.svn.wprepo.net/alo-easymail/trunk/inc/bouncehandler/bounce_responses.php"
_NETEASE = "https://biecuoliao.com/pa/MBRrwEM.html"
_POSTFIX = "https://github.com/vdukhovni/postfix (postfix/src/smtpd/smtpd_check.c, smtp, local, bounce)"
_QMAIL = "https://cr.yp.to/qmail.html (qmail-1.03: qmail-remote.c, qmail-local.c, qmail-send.c)"
_QQ = "https://smtp.codes/qq"
_QQ_PAGE = "https://qqmailbox.com/transceivers/169.html"
_RFC_3463 = "RFC 3463 section 3"
_RFC_5321 = "RFC 5321 section 4.2"
_SAMPLES = "flufl.bounce 6.0.0, tests/data (https://pypi.org/project/flufl.bounce/)"
_SENDMAIL = "https://ftp.sendmail.org (sendmail/deliver.c, srvrsmtp.c, savemail.c)"
_SIEVE = "RFC 5429"
_SISIMAI = "https://github.com/sisimai/p5-sisimai (lib/Sisimai/Reason): what servers were seen to answer"
_SITEPACKAGE = (
    "http://www.sitepackage.de/service/dokumentation/auswertung/typische-fehlermeldungen-bei-unzustellbarkeit.html"
)
_VPOPMAIL = "https://github.com/brunonymous/vpopmail (vdelivermail.c)"
_YAHOO = "https://smtp.codes/yahoo"
_YAHOO_HELP = "https://help.yahoo.com/kb/SLN3444.html"
_YANDEX = "https://www.yandex.com/support/mail/bounces/yandex.html"
_YANDEX_OTHER = "https://www.yandex.com/support/mail/bounces/other.html"

PHRASES: tuple[Phrases, ...] = (
    # What a first try is told, and how fast is too fast: these words stand beside those of every other cause.
    Phrases(
        Cause.GREYLISTED,
        _BYTECAMP,
        "greylisted | greylisting | greylist | graylisted | graylisting | grey-listed | gray-listed",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _QQ,
        "frequency limited",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _GMAIL,
        "receiving mail too quickly | receiving mail at a rate that | unusual rate of unsolicited mail | "
        "unusual rate of email | peak smtp relay limit exceeded | daily user sending limit exceeded | "
        "daily sending quota exceeded | too many recipients",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _ICLOUD,
        "deferred due to excessive volume",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _YAHOO,
        "deferred due to unexpected volume | deferred due to user complaints | max message per connection reached",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _BYTECAMP,
        "too many connections | too many concurrent | too many messages from | rate limit | sending rate",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _PHP_BOUNCE,
        "too many sessions | throttled | throttling | too much mail from",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _POSTFIX,
        "message delivery request rate | recipient address rate limit",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _NETEASE,
        "hl:icc | hl:ifc | mi:dmc | mi:sfq | rp:drc",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _SISIMAI,
        "receiving too much mail | given low priority | recipient thread limit exceeded",
    ),
    Phrases(
        Cause.RATE_LIMITED,
        _SISIMAI,
        "please try again slower | maximum connection limit | connection limit | "
        "exceeded the max emails per hour | daily message quota exceeded | maximum sending rate exceeded | "
        "too many errors from your ip | too many smtp sessions | trop de connexions | "
        "too many messages in this connection | limits for how many messages",
    ),
    # Who the mail is from, by DNS.
    Phrases(
        Cause.AUTHENTICATION,
        _GMAIL,
        "unauthenticated email from | is not accepted due to domain's dmarc policy | "
        "does not pass authentication checks | this mail is unauthenticated | sender unauthenticated | "
        "fail to pass authentication checks | does not have a ptr record | "
        "does not meet ipv6 sending guidelines regarding ptr | "
        "sending ip does not match the ip address of the hostname",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _ICLOUD,
        "dmarc policy",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _QQ,
        "dmarc check failed | spf check failed | dkim check failed",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _GMX,
        "due to spf policy | spf fail | is not authorized to send in the name of | spf-record | failed spf",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _YANDEX_OTHER,
        "spf check | failed spf check | spf validation",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _MICROSOFT,
        "does not meet the required authentication level | message failed dmarc | sender policy framework | "
        "not authenticated to send | dkim signature | dmarc validation | rejected by domain's dmarc",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _POSTFIX,
        "cannot find your hostname | cannot find your reverse hostname | cannot resolve your address",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _SITEPACKAGE,
        "your reverse dns | reverse dns | no reverse | no ptr | missing ptr | ptr record | valid rdns | "
        "fix reverse dns | reverse host lookup failed",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _MICROSOFT_515,
        "meet the required authentication level",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _NETEASE,
        "mi:spf",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _SISIMAI,
        "can't determine purported responsible address | inspect your spf settings | "
        "not allowed to send mail from | mismatches client ip | unresolvable relay host name | "
        "sender id pra not permitted",
    ),
    Phrases(
        Cause.AUTHENTICATION,
        _SISIMAI,
        "bad spf records | domain authentication fail | ip name lookup failed | generic dns ptr-records | "
        "forward dns entry does not point | custom reverse dns name | no reverse dns | invalid rdns record",
    ),
    # What it carries.
    Phrases(
        Cause.VIRUS,
        _YANDEX,
        "infected by virus | infected with | contains a virus | contains virus | virus detected | virus found",
    ),
    Phrases(
        Cause.VIRUS,
        _GMAIL,
        "presents a potential security issue | virus-infected | malware",
    ),
    Phrases(
        Cause.VIRUS,
        _SISIMAI,
        "potentially executable attachment | used by recent viruses | prohibited virus | infected with a virus",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _POSTFIX,
        "message size exceeds | exceeds size limit | message too large | message is too large | "
        "message file too big | message file is too big",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _SENDMAIL,
        "exceeds maximum fixed size | exceeds maximum message size | message too big | exceeds the maximum size",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _GMAIL,
        "exceeded google's message size limits | your message exceeded | message size limit | max message size",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _EXCHANGE,
        "recipsizelimit | sendsizelimit | larger than the size limit | "
        "larger than the current system limit | too large to send",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _JAPAN,
        "exceeded mailsize limit | message is too long | maximum message size | "
        "maximum incoming message size | message length exceeds",
    ),
    Phrases(
        Cause.TOO_LARGE,
        _RFC_3463,
        "message too big for system | message length exceeds administrative limit",
    ),
    # No room left: said of a mailbox that exists.
    Phrases(
        Cause.SYSTEM_FULL,
        _RFC_5321,
        "insufficient system storage | insufficient system resources | mail system full | no space left on device",
    ),
    Phrases(
        Cause.SYSTEM_FULL,
        _SENDMAIL,
        "insufficient disk space | not enough disk space | low on space | disk full | out of disk space",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _GMAIL,
        "is over quota | over quota | overquota | out of storage space | inbox is out of storage | "
        "over its storage quota",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _RFC_5321,
        "exceeded storage allocation | exceeded its storage allocation | exceeds allowed storage",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _YANDEX,
        "mailbox size limit exceeded | mailbox size exceeded | inbox is full | account is full",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _PHP_BOUNCE,
        "mailbox full | mailbox is full | mail box full | mail box is full | mailbox quota | "
        "quota exceeded | quota exceed | exceeded quota | exceeded the quota | exceeding their quota | "
        "exceeds quota | exceeded email quota | exceeded his quota | exceeded its quota | quota violation | "
        "quota has been exceeded | quota full | exhausted allowed storage | "
        "too many messages on the server | mailfolder is full | mailbox exceeds allowed size | "
        "not enough storage space | hat zuviele mails auf dem server | speichervolumen ueberschritten | "
        "user has exceeded",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _4DEM,
        "over the allowed quota | does not have enough space | "
        "over the maximum allowed number of messages | too many messages in this mailbox | "
        "too many messages on this mailbox | user has full mailbox | full mailbox | over storage quota | "
        "exceed the quota | over disk quota | disk quota | can't create output | storage quota | "
        "speicherplatz des kontos",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _QMAIL + "; qmail-ldap",
        "recipient's mailbox is full | too much mail stored",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _VPOPMAIL,
        "user is over quota | user over quota | account is over quota",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _SAMPLES,
        "mail box space not enough | exceeds their quota | disk space limit",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _QQ_PAGE,
        "收件人空间不足 | 邮箱空间不足 | 收件人邮箱已满 | 容量オーバー | 容量を超え",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _MAILRU,
        "user quota exceeded | ящик переполнен | превышен",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _EXCHANGE,
        "quotaexceededexception | mailbox quota exceeded | mailbox has exceeded | "
        "reached the maximum size | postfach ist voll | boîte aux lettres est pleine | "
        "boîte de réception est pleine | buzón está lleno | casella postale è piena | "
        "caixa de correio está cheia | postvak is vol | skrzynka pocztowa jest pełna",
    ),
    Phrases(
        Cause.MAILBOX_FULL,
        _SISIMAI,
        "boite du destinataire pleine | exceeding its mailbox quota | exceeded the local limit | "
        "reached disk quota | would exceed maximum allowed storage | space has been used up | "
        "disc quota exceeded | maildir over quota | exceeding receiving limits | would be over the allowed quota | "
        "user's space has been used up | too much mail data",
    ),
    # Going round, and not getting there.
    Phrases(
        Cause.LOOP,
        _POSTFIX,
        "loops back to myself | mail forwarding loop | too many hops | mail loop | loop detected",
    ),
    Phrases(
        Cause.LOOP,
        _QMAIL,
        "this message is looping | already has my delivered-to line",
    ),
    Phrases(
        Cause.LOOP,
        _EXIM,
        'too many "received" headers | suspected mail loop',
    ),
    Phrases(
        Cause.LOOP,
        _SAMPLES,
        "message looping | hop count exceeded | maximum hop count",
    ),
    Phrases(
        Cause.LOOP,
        _EXCHANGE,
        "routing loopdetected | hopcountexceeded | hop count | looping condition | mxloopback",
    ),
    Phrases(
        Cause.LOOP,
        _SISIMAI,
        "would create a mail loop | loop was found in the mail exchanger | aliasing/forwarding loop broken | "
        "mail loops back to me",
    ),
    # Who may write to whom; a sender's own domain may be the one that is not found.
    Phrases(
        Cause.SENDER_REFUSED,
        _POSTFIX,
        "sender address rejected | sender rejected | sender is rejected | sender domain | "
        "domain of sender | sender address does not | sender verify failed | sender verification | "
        "fake sender | unverified sender | invalid sender | sender denied | from address is not | "
        "no resent-from",
    ),
    Phrases(
        Cause.SENDER_REFUSED,
        _RFC_3463,
        "bad sender's mailbox | bad sender's system | bad sender address",
    ),
    Phrases(
        Cause.SENDER_REFUSED,
        "RFC 7505 section 4.2",
        "sender address has null mx",
    ),
    Phrases(
        Cause.SENDER_REFUSED,
        _SISIMAI,
        "null sender is not allowed | returned mail not accepted here | unroutable sender address | "
        "sender domain is empty | empty envelope senders not allowed | mail from not owned by user | "
        "emetteur invalide | sender not pre-approved | callback setup failed",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _QQ,
        "rejected by recipients | mail is rejected by recipient | user in blacklist | blocked by the recipient",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        "http://help.aol.com/help/microsites/search.do?cmd=displayKC&docType=kc&externalId=73062",
        "not accepting mail from | not accepting mail with | doesn't accept mail from | does not accept mail from",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _SISIMAI,
        "refused due to recipient preferences | message rejected due to user rules | "
        "user refuses to receive this mail | is only accepting mail from specific email addresses | "
        "recipient id refuse to receive mail | is not accepting any mail",
    ),
    Phrases(
        Cause.REPUTATION,
        "https://www.postfix.org/postconf.5.html (smtpd_helo_restrictions)",
        "helo command rejected",
    ),
    # The domain.
    Phrases(
        Cause.NO_MAIL_TAKEN,
        "RFC 7505 section 4",
        "null mx | does not accept mail | domain does not accept mail | no valid mx | nullmx",
    ),
    Phrases(
        Cause.NO_MAIL_TAKEN,
        _EXIM,
        "indicated no smtp service",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _QMAIL,
        "couldn't find any host named | couldn't find any host by that name | couldn't find a mail exchanger",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _POSTFIX,
        "host or domain name not found | name service error for | malformed or unexpected name server reply",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _SENDMAIL,
        "host unknown | unknown host | host not found | name or service not known | no such host | bad host name",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _YANDEX_OTHER,
        "no such domain | unknown domain | domain not found | domain does not exist | domain unknown | "
        "bad destination system address",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _EXCHANGE,
        "nonexistentdomain | dns domain does not exist | domain isn't valid | dns reported that | "
        "infodomainnonexistent",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _EXIM,
        "all relevant mx records point to non-existent hosts | unrouteable mail domain | "
        "all host address lookups failed | could not find a gateway | no route to domain | routing error",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _GMAIL,
        "because the domain | domain couldn't be found | dns error: domain name not found | dns error: address",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _SISIMAI,
        "destination computer was not found | domain must exist | mentioned in email address is unknown | "
        "unknown domain name | account or domain may not exist | destination computer could not be found | "
        "remote domain doesnt exist",
    ),
    Phrases(
        Cause.NO_SUCH_DOMAIN,
        _QQ_PAGE,
        "dns query error | 域名不存在 | domain name not found",
    ),
    # The account is there, and closed.
    Phrases(
        Cause.MAILBOX_DISABLED,
        _YAHOO_HELP,
        "account has been disabled or discontinued | account that you tried to reach is disabled | "
        "mailbox is disabled for this recipient",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _4DEM,
        "user account disabled | account disabled | account is disabled | account has been disabled | "
        "account expired | account is expired | user account is expired | account inactive | "
        "account is inactive | account closed | account has been closed | inactive user | "
        "user is inactive | user inactive | mailbox is inactive | extended inactivity | mailbox disabled | "
        "mailbox is disabled | mailbox temporarily disabled | mailbox currently suspended | "
        "mailbox_currently_suspended | hasn't entered during last | account is not allowed",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _ICOREMAIL,
        "user suspended | account suspended | account has been suspended | has been temporarily suspended | "
        "account has been temporarily suspended | user disabled | user locked | user hangup | "
        "account is locked | account locked",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _YANDEX,
        "policy rejection on the target address",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _RFC_3463,
        "mailbox disabled, not accepting | not accepting messages | mailbox is blocked | mailbox blocked",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _ICLOUD,
        "inactive email address",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _SAMPLES,
        "no longer active | has been deactivated | has been discontinued",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _PHP_BOUNCE,
        "administratively disabled | not been collected | deactivated",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _SISIMAI,
        "is a deactivated mailbox | recipient suspend the service | invalid/inactive user | "
        "mailbox unavailable or access denied | not an active address at this host | user not active",
    ),
    Phrases(
        Cause.MAILBOX_DISABLED,
        _EXCHANGE,
        "accountdisabledexception",
    ),
    Phrases(
        Cause.MOVED,
        _SISIMAI,
        "has been replaced by",
    ),
    Phrases(
        Cause.MOVED,
        _RFC_3463,
        "mailbox has moved | user has moved | has been moved | has moved | no longer at this address | "
        "address has changed",
    ),
    # Nobody of that name.
    Phrases(
        Cause.NO_SUCH_USER,
        _GMAIL,
        "email account that you tried to reach does not exist | address couldn't be found | wasn't found at",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _YAHOO_HELP,
        "this user doesn't have a | user doesn't have a | user does not have a | mailbox unavailable or not local",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _SENDMAIL,
        "user unknown | unknown user | user is unknown | addressee unknown | no such user | "
        "user doesn't exist | user does not exist | user not exist",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _POSTFIX,
        "in local recipient table | in virtual mailbox table | in virtual alias table | "
        "in relay recipient table | need fully-qualified address | undeliverable address",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _EXIM,
        "unrouteable address | unroutable address | unknown local part | unknown local-part",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _QMAIL,
        "no mailbox here by that name | no mailbox by that name | this address no longer accepts mail",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _EXCHANGE,
        "recipnotfound | recipientnotfound | recipient name is not recognized | recipient not found | "
        "unknown recipient | recipient unknown | e-mail account does not exist | "
        "email address you entered couldn't be found | address you entered could not be found | "
        "could not be found or | empfänger wurde nicht gefunden | wurde nicht gefunden | "
        "konnte nicht gefunden werden | n'a pas été trouvée | n'a pas pu être trouvé | "
        "no se encontró la dirección | non è stato trovato | não foi encontrado | "
        "kan niet worden gevonden | nie można odnaleźć | не удалось найти | が見つかりません | 找不到",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _MICROSOFT,
        "recipient address rejected: access denied",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _DOMINO,
        "not listed in domino directory | not listed in public name & address book | "
        "not listed in public name and address book | user not listed in | "
        "répertorié dans l'annuaire domino | domino ディレクトリ | domino directory entry does not",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _YANDEX_OTHER,
        "bad destination mailbox address | bad destination mailbox | invalid recipient | invalid mailbox | "
        "invalid address | user not found | no such recipient | bad recipient address syntax | "
        "bad address mailbox syntax | bad address syntax | no correct recipients",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _SITEPACKAGE,
        "benutzer nicht bekannt | no such mailbox | mailbox not found | unknown address | address unknown | "
        "address invalid | invalid user | recipient verification problem",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _ICOREMAIL,
        "unavailable mail user | user not known | user is not known | recipient does not have an account | "
        "not user of this server | not a user here | local server don't exists that user | "
        "is not a valid mailbox | not a valid user | not a known user | not our customer | "
        "is not a customer | user rejected",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _JAPAN,
        "mailbox does not exist | recipient does not exist | address does not exist | "
        "account does not exist | does not exist here | recipient rejected | 宛先不明 | 存在しません | "
        "ユーザーは登録されていません | 該当するユーザ",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _QQ_PAGE,
        "该用户不存在 | 未开通qq邮箱 | 用户不存在 | 收件人不存在 | 地址不存在",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _SAMPLES,
        "n'existe pas | invalid final delivery userid | no valid recipients were found | "
        "is not a known email address | wrong or no longer valid | "
        "does not have a final email delivery point | is not a valid user | "
        "not a valid user of the system | not a valid recipient | utilisateur inconnu | "
        "destinataire inconnu | unknown to this system | no mail box | is not present",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _PHP_BOUNCE,
        "destination addresses were unknown | not found in directory | no such account | no such address | "
        "no such person | no user here | no account by that name | user not listed | mailbox unknown | "
        "account not found | account unknown | recipient no longer | no longer valid | "
        "no longer available | no longer on server | no longer exists | not a local user | "
        "cuenta no activa | usuario desconocido | utente sconosciuto | usuário desconhecido | "
        "onbekende gebruiker | nieznany użytkownik | benutzer unbekannt | unbekannter benutzer | "
        "empfänger unbekannt | не существует | пользователь не найден | нет такого пользователя",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        "http://postmaster.aol.com/trouble/mailer.html",
        "554 rlypn:nr",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _SISIMAI,
        "archived recipient | sorry badrcptto | in my badrcptto list | destination server rejected recipients | "
        "no thank you rejected: account unavailable | invalid or unknown virtual user | "
        "there is no one at this address | recipient not ok | recipient is not local | invalid mailbox path | "
        "no such person at this address | user missing home directory | user's email name is not found | "
        "following recipients was undeliverable | email address could not be found | no existe dicha persona | "
        "no existe ese usuario | unknown mailbox | unknown email address | unknown e-mail address | "
        "non existent user | nonexistent user | d'au moins un destinataire invalide | "
        "adresse d au moins un destinataire invalide | invalid rcpt user",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _MICROSOFT,
        "recipient addresses rejected: access denied",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _QQ_PAGE,
        "不存在",
    ),
    # Turned away, for what it is or whose it is.
    Phrases(
        Cause.REPUTATION,
        _YANDEX,
        "blocked using | blocked by spam statistics | spam statistics",
    ),
    Phrases(
        Cause.REPUTATION,
        _MICROSOFT,
        "banned sending ip | banned sender | part of their network is on our block list | "
        "on our block list | temporarily rate limited due to ip reputation | ip reputation | "
        "sender reputation",
    ),
    Phrases(
        Cause.REPUTATION,
        _AOL,
        "rly:b1 | rly:b2 | rly:b3 | rly:bd | rly:cs4 | hvu:b1 | hvu:b2 | dyn:t1 | dyn:t2 | rtr:bb | "
        "rtr:rd | rtr:ch | rtr:du | rtr:bg | rtr:bl | con:b1 | dns:b1 | dns:b2",
    ),
    Phrases(
        Cause.REPUTATION,
        _GMX,
        "is block listed | block listed | blocklisted | block list | bad dns ptr resource record | blacklisted",
    ),
    Phrases(
        Cause.REPUTATION,
        _ICLOUD,
        "spamhaus | present in the spamhaus | spamcop | barracudacentral | sorbs | uceprotect | rbl | "
        "dnsbl | black list | blacklist | blocklist | listed at | listed by | listed in",
    ),
    Phrases(
        Cause.REPUTATION,
        _GMAIL,
        "ip you're using to send mail is not authorized to send email directly | "
        "not authorized to send email directly to our servers | very low reputation of the sending | "
        "low reputation of the sending domain | has a low reputation | bad reputation | poor reputation | "
        "senderbase | reputation score | is not in whitelist",
    ),
    Phrases(
        Cause.REPUTATION,
        _POSTFIX,
        "client host rejected | client host blocked | your ip | your host is | dynamic ip | "
        "ip address has been blocked | blocked for abuse | your mail server | connection refused by policy | "
        "not accept mail from your ip",
    ),
    Phrases(
        Cause.REPUTATION,
        _QQ,
        "suspected spam sender | ip is rejected | ip is hangup | invalid ip",
    ),
    Phrases(
        Cause.REPUTATION,
        _EXCHANGE,
        "spam abuse detected | traffic not accepted from this ip",
    ),
    Phrases(
        Cause.REPUTATION,
        _SISIMAI,
        "blocked - see http | blocked - see https | refused - see http | refused - see https | spamhaus's list | "
        "your access to submit messages to this e-mail system has been rejected | too many spams from your ip | "
        "bad sender ip address | is in an rbl | listed as abusive | hosts with dynamic ip | "
        "access from ip address | no access from mail server | you are not allowed to connect | "
        "your network is temporary blacklisted | sender ip address rejected | currently sending spam | "
        "use the smtp server of your isp | abus detecte",
    ),
    Phrases(
        Cause.REPUTATION,
        _NETEASE,
        "hl:rep | hl:mep | dt:rbl | mi:ipb",
    ),
    Phrases(
        Cause.REPUTATION,
        "https://sevencreative.co.uk/how-to-remove-yourself-from-the-hotmail-block-list/",
        "weren't sent. please contact your internet service provider",
    ),
    Phrases(
        Cause.SPAM,
        _GMAIL,
        "likely unsolicited mail | likely suspicious | unsolicitedmessageerror | "
        "suspicious due to the nature of the content | blocked because its content",
    ),
    Phrases(
        Cause.SPAM,
        _YANDEX_OTHER,
        "suspicion of spam | rejected as spam | looks like spam | message rejected as spam | "
        "classified as spam | identified as spam | considered spam | detected as spam | marked as spam | "
        "als spam eingestuft",
    ),
    Phrases(
        Cause.SPAM,
        _4DEM,
        "appears to be unsolicited | spam rejected | unsolicited | spam message rejected | spam message | "
        "spam content | spam detected | spam mail | junk mail | spam score | high spam | bulk mail",
    ),
    Phrases(
        Cause.SPAM,
        _QQ,
        "mail content denied | spam denied | suspected of spam",
    ),
    Phrases(
        Cause.SPAM,
        _SISIMAI,
        "spamassassin | antispam | anti spam engine | recurrent pattern detection | bulk email | "
        "bulk advertising | spam filtering engine | spam filter | mass mailer | triggered a spam block | "
        "uribl policy | ube id | message filtered | was blocked by our spam firewall | too much spam",
    ),
    Phrases(
        Cause.SPAM,
        _NETEASE,
        "dt:spm",
    ),
    # Which way, by which rule.
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _EXCHANGE,
        "notauthorizedtogroup | sendernotauthenticatedforgroup | sendernotauthenticatedformailbox | "
        "restrictedtorecipientspermission | sender not in allowed-senders list | "
        "sender was not authenticated when sending to this group",
    ),
    Phrases(
        Cause.RELAY_DENIED,
        _POSTFIX,
        "relay access denied | relaying denied | relay denied | relaying not permitted | "
        "relay not permitted | not permitted to relay | unable to relay | not allowed to relay | "
        "relaying is prohibited | relay prohibited | relaying to | is not a relay | no relaying | "
        "we do not relay | open relay",
    ),
    Phrases(
        Cause.RELAY_DENIED,
        _SISIMAI,
        "requires authentication when attempting to send | authentication is required | authentication required | "
        "unauthenticated senders not allowed | authentication failed | authentication failure | "
        "authentication credentials invalid | authentification requise | insecure mail relay | "
        "not configured to relay mail | smtp relay error",
    ),
    Phrases(
        Cause.RELAY_DENIED,
        _QMAIL,
        "isn't in my list of allowed rcpthosts | is not in my list of allowed | not in my control/locals",
    ),
    Phrases(
        Cause.RELAY_DENIED,
        _EXCHANGE,
        "tenantattribution | authentication is required for relay | user not local",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _EXCHANGE,
        "resolver.rst.notauthorized | resolver.rst.authrequired | resolver.rst.sendernotauthenticated | "
        "rejected by an owner-specified rule | delivery not authorized | "
        "sender not authenticated for group | don't have permission to send | not have permission to send | "
        "restricted recipient",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _SIEVE,
        "was automatically rejected | rejected by the recipient | refused by recipient | "
        "recipient refuses | does not like recipient",
    ),
    Phrases(
        Cause.RECIPIENT_REFUSES,
        _SAMPLES,
        "permission denied | cannot route mail to user",
    ),
    Phrases(
        Cause.TLS,
        "RFC 3207 section 4",
        "must issue a starttls | tls required | requires tls | starttls is required | tls is required | "
        "encryption required | tls handshake | tls-failed | cannot start tls | tls negotiation | "
        "certificate verification | certificate verify | tlsa | failed to establish tls | sts policy",
    ),
    # What it is made of.
    Phrases(
        Cause.CONTENT,
        _4DEM,
        "content rejected | content filter | restricted attachment | attachment count limit | "
        "content reject | content denied | illegal content | message denied",
    ),
    Phrases(
        Cause.CONTENT,
        _POSTFIX,
        "message content rejected | message rejected due to content | from field | invalid header | "
        "duplicate header | header error | malformed mime | bare lf | line too long",
    ),
    Phrases(
        Cause.CONTENT,
        _EXCHANGE,
        "contentconversion | content conversion | invalid message content",
    ),
    Phrases(
        Cause.CONTENT,
        _SISIMAI,
        "banned content | unacceptable content | headers are not accepted | messages with multiple addresses",
    ),
    Phrases(
        Cause.CONTENT,
        _EXIM,
        "message headers fail syntax check",
    ),
    Phrases(
        Cause.SENDER_REFUSED,
        _EXCHANGE,
        "permissions to send as this sender",
    ),
    Phrases(
        Cause.CONTENT,
        _SISIMAI,
        "not rfc 5322 compliant | improper use of 8-bit data | invalid mime headers | "
        "improperly-formatted binary content | mime complexity exceeds | "
        "message header size or recipient list exceeds policy limit",
    ),
    Phrases(
        Cause.POLICY,
        _ICLOUD,
        "due to local policy | local policy | policy violation | violates | policy restrictions",
    ),
    Phrases(
        Cause.POLICY,
        _4DEM,
        "policy reasons | denied by policy | rejected for policy | rule imposed | by policy | "
        "policy rejection | against policy | email policy | security policy | mail policy | "
        "administrative prohibition | administratively prohibited | administrative reasons",
    ),
    Phrases(
        Cause.POLICY,
        _SISIMAI,
        "closed mailing list | not subscribed to this group | security policies",
    ),
    # Not there yet, and given up.
    Phrases(
        Cause.EXPIRED,
        _QMAIL,
        "in the queue too long | been in the queue | delivery time expired | message expired | queue.expired",
    ),
    Phrases(
        Cause.EXPIRED,
        _EXIM,
        "retry timeout exceeded | retry time not reached for any host after a long failure period | "
        "message has been frozen | message will be frozen | retry timed out",
    ),
    Phrases(
        Cause.EXPIRED,
        _SENDMAIL,
        "cannot send message for | could not send message for past | message could not be delivered for | "
        "delivery time (",
    ),
    Phrases(
        Cause.EXPIRED,
        _SAMPLES,
        "was aborted after | delivery failed 20 attempts | exceeded maximum delivery attempts | "
        "maximum delivery attempts | too many failed attempts | not be delivered within | "
        "delivery attempts have failed | this condition occurred after | server unavailable or busy | "
        "the recipient server did not respond | delivery expired",
    ),
    Phrases(
        Cause.EXPIRED,
        _SISIMAI,
        "expired after sitting in queue | message timed out | within the allowed queue period | "
        "could not be delivered for more than | already made numerous attempts",
    ),
    Phrases(
        Cause.NETWORK,
        _QMAIL,
        "wasn't able to establish an smtp connection | connection died | connected to remote host, but | "
        "connected to a name server but",
    ),
    Phrases(
        Cause.NETWORK,
        _POSTFIX,
        "connection timed out | operation timed out | timed out while | timed out | lost connection with | "
        "connection refused | no route to host | network is unreachable | server refused to talk to me | "
        "network unreachable | connection reset | unable to connect | could not connect | broken pipe",
    ),
    Phrases(
        Cause.NETWORK,
        _EXCHANGE,
        "connection dropped | no answer from host | routing server failure | unable to route | "
        "mail exchanger failed | not responding | did not respond | connection was closed | "
        "connection closed | remote host closed | cannot connect | host name lookup failure | "
        "hostname lookup failure | dns lookup failure | dns lookup failed | dns failure | "
        "temporary lookup failure | temporary failure in name resolution",
    ),
    Phrases(
        Cause.NETWORK,
        _SISIMAI,
        "host is unreachable | unable to resolve route",
    ),
    Phrases(
        Cause.PROTOCOL,
        _RFC_5321,
        "command unrecognized | command not recognized | unrecognized command | command not implemented | "
        "bad sequence of commands | syntax error | protocol violation | protocol error | pipelining | "
        "smtp error: synchronization",
    ),
    Phrases(
        Cause.SYSTEM_ERROR,
        _POSTFIX,
        "command died with | mail system configuration error | local configuration error | "
        "local error in processing | system config error | temporary local problem | internal error | "
        "server error | mailer error | i/o error | command output | command failed | unexpected failure | "
        "service unavailable | service not available | temporary system problem | "
        "system not accepting network messages | temporarily unavailable | server busy | try again later | "
        "try later | system load | temporary failure | resources temporarily",
    ),
    Phrases(
        Cause.SYSTEM_ERROR,
        _SISIMAI,
        "interrupted system call | queue file write error | encountered an error while being processed | "
        "remote server is misconfigured | temporarily rejected message",
    ),
    Phrases(
        Cause.SYSTEM_ERROR,
        _EXIM,
        "pipe to | transport returned | returned error from child | child process of",
    ),
)
"""What decides whatever the status says, since many servers give one status for everything."""

VAGUE_PHRASES: tuple[Phrases, ...] = (
    Phrases(
        Cause.SPAM,
        _GMX,
        "message was classified | considered as spam | as spam | is spam | spam",
    ),
    Phrases(
        Cause.VIRUS,
        _YANDEX,
        "virus",
    ),
    Phrases(
        Cause.NO_SUCH_USER,
        _RFC_5321,
        "mailbox unavailable | mailbox name not allowed | mailbox name invalid | "
        "recipient address rejected | recipient not accepted | recipient address refused | "
        "address rejected | is not accepted here | unable to validate recipient | "
        "recipient cannot be verified | cannot verify | mailbox is unavailable | "
        "not allowed to send mail to | invalid destination",
    ),
    Phrases(
        Cause.POLICY,
        _EXCHANGE,
        "access denied | message rejected | message refused | not allowed | not permitted | prohibited | blocked",
    ),
)
"""What is said of so much that an exact status counts for more."""

CAUSE_OF_STATUS: Mapping[str, Cause] = {
    "1.0": Cause.NO_SUCH_USER,
    "1.1": Cause.NO_SUCH_USER,  # bad destination mailbox address
    "1.2": Cause.NO_SUCH_DOMAIN,  # bad destination system address
    "1.3": Cause.NO_SUCH_USER,  # bad destination mailbox address syntax
    "1.4": Cause.NO_SUCH_USER,  # destination mailbox address ambiguous
    "1.6": Cause.MOVED,  # destination mailbox has moved
    "1.7": Cause.SENDER_REFUSED,  # bad sender's mailbox address syntax
    "1.8": Cause.SENDER_REFUSED,  # bad sender's system address
    "1.10": Cause.NO_MAIL_TAKEN,  # recipient address has null MX (RFC 7505)
    "2.1": Cause.MAILBOX_DISABLED,
    "2.2": Cause.MAILBOX_FULL,
    "2.3": Cause.TOO_LARGE,
    "3.1": Cause.SYSTEM_FULL,
    "3.2": Cause.SYSTEM_ERROR,
    "3.3": Cause.SYSTEM_ERROR,
    "3.4": Cause.TOO_LARGE,
    "3.5": Cause.SYSTEM_ERROR,
    "4.1": Cause.NETWORK,  # no answer from host
    "4.2": Cause.NETWORK,  # bad connection
    "4.3": Cause.NETWORK,  # directory server failure
    "4.4": Cause.NO_SUCH_DOMAIN,  # unable to route
    "4.5": Cause.RATE_LIMITED,  # mail system congestion
    "4.6": Cause.LOOP,
    "4.7": Cause.EXPIRED,
    "4.8": Cause.LOOP,
    "5.1": Cause.PROTOCOL,
    "5.2": Cause.PROTOCOL,
    "5.3": Cause.RATE_LIMITED,  # too many recipients
    "5.4": Cause.PROTOCOL,
    "5.5": Cause.PROTOCOL,
    "6.0": Cause.CONTENT,
    "6.1": Cause.CONTENT,
    "6.2": Cause.CONTENT,
    "6.3": Cause.CONTENT,
    "6.5": Cause.CONTENT,
    "6.6": Cause.CONTENT,
    "6.7": Cause.CONTENT,  # RFC 6531
    "6.9": Cause.CONTENT,
    "7.0": Cause.POLICY,
    "7.1": Cause.POLICY,  # delivery not authorized, message refused
    "7.2": Cause.RECIPIENT_REFUSES,  # mailing list expansion prohibited
    "7.7": Cause.CONTENT,  # message integrity failure
    "7.10": Cause.TLS,
    "7.13": Cause.MAILBOX_DISABLED,  # user account disabled (RFC 5248)
    "7.17": Cause.MOVED,  # mailbox owner has changed (RFC 7293)
    "7.18": Cause.MOVED,  # domain owner has changed (RFC 7293)
    "7.20": Cause.AUTHENTICATION,  # no passing DKIM signature found (RFC 7372)
    "7.21": Cause.AUTHENTICATION,
    "7.22": Cause.AUTHENTICATION,
    "7.23": Cause.AUTHENTICATION,  # SPF validation failed
    "7.24": Cause.AUTHENTICATION,
    "7.25": Cause.AUTHENTICATION,  # reverse DNS validation failed
    "7.26": Cause.AUTHENTICATION,  # multiple authentication checks failed
    "7.27": Cause.SENDER_REFUSED,  # sender address has null MX (RFC 7505)
    "7.28": Cause.RATE_LIMITED,  # mail flood detected
    "7.29": Cause.AUTHENTICATION,  # ARC validation failure
    "7.30": Cause.TLS,  # REQUIRETLS support required (RFC 8689)
}
"""By subject and detail of an enhanced status code: RFC 3463 section 3, and where said the register at
https://www.iana.org/assignments/smtp-enhanced-status-codes/, whose other codes speak of logins, not of bounces."""

CAUSE_OF_SUBJECT: Mapping[str, Cause] = {
    "4": Cause.NETWORK,
    "5": Cause.PROTOCOL,
    "6": Cause.CONTENT,
    "7": Cause.POLICY,
}
"""By the subject of a status alone, where nothing says it more exactly (RFC 3463 section 2)."""

KIND_OF_CAUSE: Mapping[Cause, BounceKind] = {
    Cause.NO_SUCH_USER: BounceKind.HARD,
    Cause.NO_SUCH_DOMAIN: BounceKind.HARD,
    Cause.NO_MAIL_TAKEN: BounceKind.HARD,
    Cause.MOVED: BounceKind.HARD,
    Cause.MAILBOX_DISABLED: BounceKind.HARD,
    Cause.MAILBOX_FULL: BounceKind.SOFT,
    Cause.TOO_LARGE: BounceKind.BLOCK,
    Cause.RECIPIENT_REFUSES: BounceKind.BLOCK,
    Cause.SPAM: BounceKind.BLOCK,
    Cause.VIRUS: BounceKind.BLOCK,
    Cause.CONTENT: BounceKind.BLOCK,
    Cause.REPUTATION: BounceKind.BLOCK,
    Cause.AUTHENTICATION: BounceKind.BLOCK,
    Cause.SENDER_REFUSED: BounceKind.BLOCK,
    Cause.POLICY: BounceKind.BLOCK,
    Cause.RELAY_DENIED: BounceKind.BLOCK,
    Cause.RATE_LIMITED: BounceKind.SOFT,
    Cause.GREYLISTED: BounceKind.SOFT,
    Cause.TLS: BounceKind.BLOCK,
    Cause.PROTOCOL: BounceKind.UNDETERMINED,
    Cause.LOOP: BounceKind.SOFT,
    Cause.NETWORK: BounceKind.SOFT,
    Cause.EXPIRED: BounceKind.SOFT,
    Cause.SYSTEM_FULL: BounceKind.SOFT,
    Cause.SYSTEM_ERROR: BounceKind.SOFT,
}
"""What a cause says about the address, once the mail is given up. `Cause.UNKNOWN` says nothing: its status does."""

KIND_OF_STATUS: Mapping[str, BounceKind] = {
    "1.7": BounceKind.BLOCK,  # bad sender's mailbox address syntax
    "1.8": BounceKind.BLOCK,  # bad sender's system address
    "1": BounceKind.HARD,  # the address: no such mailbox, no such system, moved, ambiguous, null MX (RFC 7505)
    "7.13": BounceKind.HARD,  # user account disabled
    "7.17": BounceKind.HARD,  # mailbox owner has changed
    "7.18": BounceKind.HARD,  # domain owner has changed
    "2.1": BounceKind.HARD,  # mailbox disabled, for good
    "2.2": BounceKind.SOFT,  # mailbox full
    "2.3": BounceKind.BLOCK,  # larger than the mailbox takes
    "2": BounceKind.SOFT,  # the mailbox exists, and something is wrong with it
    "3.3": BounceKind.BLOCK,  # the system lacks a feature that the mail needs
    "3.4": BounceKind.BLOCK,  # larger than the system takes
    "3": BounceKind.SOFT,  # the mail system: full, down, set up wrongly
    "4.4": BounceKind.HARD,  # no route: the domain has no mail exchanger
    "4": BounceKind.SOFT,  # the network: no answer, a loop, time ran out
    "5": BounceKind.UNDETERMINED,  # the protocol: it says nothing about the person
    "6": BounceKind.BLOCK,  # the content or its form
    "7": BounceKind.BLOCK,  # security or policy
}
"""What a permanent failure says about the address, by subject and detail, or by subject alone (RFC 3463 section 3)."""

KIND_OF_CODE: Mapping[str, BounceKind] = {
    "550": BounceKind.HARD,  # mailbox unavailable
    "551": BounceKind.HARD,  # user not local
    "552": BounceKind.SOFT,  # exceeded storage allocation
    "553": BounceKind.HARD,  # mailbox name not allowed
}
"""The same by SMTP reply code, for a report without a status (RFC 5321 section 4.2.2)."""
