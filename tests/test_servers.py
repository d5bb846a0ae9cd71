"""How to reach a server: right once it exists, and silent about its password."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from custom_smtp import Credentials, Server, Tls
from custom_smtp.errors import ConfigurationError
from custom_smtp.servers import OPTIONS, SCHEMES, Dane, Limits, Pace

SECRET = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30)


def told(error: BaseException) -> str:
    """Everything that an error and whatever led to it say, hidden causes included."""
    words = repr(error)
    while (earlier := error.__cause__ or error.__context__) is not None:
        words += repr(earlier)
        error = earlier
    return words


class TestServer:
    """`Server`, written out."""

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"host": ""}, "the host is empty"),
            ({"host": None}, "the host is empty"),
            ({"host": "smtp.shop.example:587"}, "without scheme or port"),
            ({"host": "submission://smtp.shop.example"}, "without scheme or port"),
            ({"host": "smtp shop"}, "is no host name"),
            ({"host": "smtp..example"}, "is no host name"),
            ({"host": "-smtp.example"}, "is no host name"),
            ({"host": "smtp.example\r\nQUIT"}, "is no host name"),
            ({"host": "fe80::1%\r\nQUIT"}, "is no host name"),
            ({"host": "fe80::1%"}, "is no host name"),
            ({"host": "192.0.2.1%eth0"}, "is no host name"),
            ({"host": "[::1]"}, "is no host name"),
            ({"host": "."}, "is no host name"),
            ({"host": "☃.example"}, "is no host name"),
            ({"host": "a" * 64 + ".example"}, "is no host name"),
            ({"host": ".".join(["a" * 60] * 5)}, "is no host name"),
            ({"port": 25}, "port 25 is for servers talking to servers; use 587, 465 or 2525"),
            ({"port": 0}, "0 is no port: use 587"),
            ({"port": 65536}, "65536 is no port"),
            ({"port": -1}, "-1 is no port"),
            ({"port": "587"}, "'587' is no port"),
            ({"port": True}, "True is no port"),
            ({"port": None}, "None is no port"),
            ({"tls": "starttls"}, "use Tls.STARTTLS, Tls.IMPLICIT or Tls.OPPORTUNISTIC"),
            ({"tls": None}, "use Tls.STARTTLS"),
            ({"tls": False}, "use Tls.STARTTLS"),
            ({"helo_name": "our host"}, "cannot be said in EHLO"),
            ({"helo_name": "host\r\nMAIL"}, "cannot be said in EHLO"),
            ({"helo_name": "höst"}, "cannot be said in EHLO"),
            ({"helo_name": "h" * 256}, "cannot be said in EHLO"),
            ({"helo_name": None}, "cannot be said in EHLO"),
            ({"ca_file": ""}, "give the path of a PEM file"),
            ({"ca_file": "ca\x00.pem"}, "give the path of a PEM file"),
            ({"ca_file": 7}, "give the path of a PEM file"),
            ({"limits": 60}, "Limits.all_of(60)"),
            ({"dane": True}, "use Dane.IF_PUBLISHED or Dane.REQUIRED"),
            ({"dane": "required"}, "use Dane.IF_PUBLISHED or Dane.REQUIRED"),
            ({"dane": Dane.REQUIRED, "host": "192.0.2.1"}, "write the name"),
            ({"dane": Dane.REQUIRED, "host": "2001:db8::1"}, "write the name"),
            ({"dane": Dane.IF_PUBLISHED, "tls": Tls.OPPORTUNISTIC}, "leave Tls.OPPORTUNISTIC out"),
        ],
    )
    def test_one_that_cannot_be_is_refused_and_told_what_to_write(self, fields: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            Server(**{"host": "smtp.shop.example"} | fields)
        assert says in str(refused.value)
        assert len(str(refused.value)) < 300

    @pytest.mark.parametrize("credentials", [("shop", "s3cret"), "shop:s3cret", {"shop": "s3cret"}])
    def test_credentials_of_another_kind_are_refused_unseen(self, credentials: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"write Credentials\('user', 'password'\)") as refused:
            Server("smtp.shop.example", credentials=credentials)
        assert "s3cret" not in told(refused.value)

    @pytest.mark.parametrize(
        ("host", "kept"),
        [
            ("smtp.shop.example", "smtp.shop.example"),
            ("smtp_out.shop.example.", "smtp_out.shop.example."),
            ("localhost", "localhost"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("münchen.example", "xn--mnchen-3ya.example"),
        ],
    )
    def test_names_and_addresses_are_hosts(self, host: str, kept: str) -> None:
        assert Server(host).host == kept

    def test_a_server_is_secret_unless_asked_otherwise(self) -> None:
        assert Server("smtp.shop.example").tls is Tls.STARTTLS
        assert Server("smtp.shop.example", 2525).tls is Tls.STARTTLS
        assert Server("smtp.shop.example", 465).tls is Tls.IMPLICIT
        assert Server("smtp.shop.example", 465, tls=Tls.STARTTLS).tls is Tls.STARTTLS
        assert {tls.name for tls in Tls} == {"STARTTLS", "IMPLICIT", "OPPORTUNISTIC"}

    def test_nobody_is_asked_about_its_certificate_unless_it_says_so(self) -> None:
        assert Server("smtp.shop.example").dane is None
        assert Server("smtp.shop.example", dane=Dane.REQUIRED).dane is Dane.REQUIRED
        assert Server("smtp.shop.example", 465, dane=Dane.IF_PUBLISHED).tls is Tls.IMPLICIT

    def test_it_prints_where_it_is(self) -> None:
        assert str(Server("smtp.shop.example", 2525)) == "smtp.shop.example:2525"
        assert str(Server("2001:db8::1")) == "[2001:db8::1]:587"

    def test_a_zone_is_in_no_certificate(self) -> None:
        assert Server("fe80::1%eth0").tls_name == "fe80::1"
        assert Server("10.0.0.7", certificate_name="smtp.shop.example.").tls_name == "smtp.shop.example"

    def test_a_file_of_authorities_is_a_path(self) -> None:
        assert Server("smtp.shop.example", ca_file="ca.pem").ca_file == Path("ca.pem")
        assert Server("smtp.shop.example", ca_file=Path("ca.pem")).ca_file == Path("ca.pem")


class TestCredentials:
    """`Credentials`: the password never prints."""

    @given(SECRET)
    def test_the_password_is_in_nothing_that_prints(self, password: str) -> None:
        assume(len(password) > 3)
        hidden = "\ue000" + password
        credentials = Credentials("shop", hidden)
        server = Server("smtp.shop.example", credentials=credentials)
        printed = f"{credentials!r} {credentials} {server!r} {server} {credentials!a}"
        assert hidden not in printed
        assert ascii(hidden)[1:-1] not in printed

    @pytest.mark.parametrize("wrong", ["", "\x00hunter2", "hunter2\udcff", None, b"hunter2", 7])
    def test_what_cannot_be_said_in_auth_is_refused_unseen(self, wrong: Any) -> None:
        for fields in ((wrong, "s3cret"), ("shop", wrong)):
            with pytest.raises(ConfigurationError, match="give the one your server issued") as refused:
                Credentials(*fields)
            assert "hunter2" not in str(refused.value)
            assert "s3cret" not in str(refused.value)


class TestLimits:
    """`Limits`: nothing waits for ever."""

    @pytest.mark.parametrize("seconds", [0, -1, 3601, float("inf"), float("nan"), "60", None, True])
    def test_a_wait_without_end_is_refused(self, seconds: Any) -> None:
        for field in ("connect", "greeting", "reply", "final"):
            with pytest.raises(ConfigurationError, match=f"{field} is .*: use seconds above 0, up to 3600"):
                Limits(**{field: seconds})

    def test_one_limit_for_every_step(self) -> None:
        assert Limits.all_of(7) == Limits(connect=7, greeting=7, reply=7, final=7)

    def test_the_defaults_are_the_standards(self) -> None:
        assert (Limits().greeting, Limits().reply, Limits().final) == (300, 300, 600)


class TestFromUrl:
    """`Server.from_url`: one setting."""

    @pytest.mark.parametrize(
        ("url", "server"),
        [
            ("submission://smtp.shop.example", Server("smtp.shop.example")),
            ("submission://smtp.shop.example/", Server("smtp.shop.example")),
            ("SUBMISSION://SMTP.shop.example:", Server("smtp.shop.example")),
            ("submission://smtp.shop.example:2525", Server("smtp.shop.example", 2525)),
            ("submissions://smtp.shop.example", Server("smtp.shop.example", 465)),
            ("smtps://smtp.shop.example:2465", Server("smtp.shop.example", 2465, tls=Tls.IMPLICIT)),
            ("smtp+starttls://smtp.shop.example", Server("smtp.shop.example")),
            ("smtp://smtp.shop.example:587", Server("smtp.shop.example")),
            ("smtp://smtp.shop.example:465", Server("smtp.shop.example", 465, tls=Tls.STARTTLS)),
            ("submission://[2001:db8::1]:2525", Server("2001:db8::1", 2525)),
            ("submission://[fe80::1%25eth0]", Server("fe80::1%eth0")),
            ("submission://münchen.example", Server("xn--mnchen-3ya.example")),
            (
                "submission://user:pa%40ss@smtp.shop.example:587",
                Server("smtp.shop.example", credentials=Credentials("user", "pa@ss")),
            ),
            (
                "submission://%C3%BCser%40shop.example:a%2Fb%3Fc%23d%25+e@smtp.shop.example",
                Server("smtp.shop.example", credentials=Credentials("üser@shop.example", "a/b?c#d%+e")),
            ),
            (
                "submission://user:p@ss:word@smtp.shop.example",
                Server("smtp.shop.example", credentials=Credentials("user", "p@ss:word")),
            ),
            (
                "submission://smtp.shop.example?timeout=60&ehlo=us.shop.example&ca=%2Fetc%2Fa+b.pem&tls=opportunistic",
                Server(
                    "smtp.shop.example",
                    limits=Limits.all_of(60),
                    helo_name="us.shop.example",
                    ca_file="/etc/a+b.pem",
                    tls=Tls.OPPORTUNISTIC,
                ),
            ),
            (
                "submission://smtp.shop.example?dane=required&window=9&mails=100",
                Server("smtp.shop.example", dane=Dane.REQUIRED, pace=Pace(window=9, mails_per_connection=100)),
            ),
            (
                "submission://smtp.shop.example?pace=careful&dane=if-published",
                Server("smtp.shop.example", dane=Dane.IF_PUBLISHED, pace=Pace.careful()),
            ),
            ("submission://smtp.shop.example?window=0", Server("smtp.shop.example", pace=Pace(window=0))),
            ("submission://smtp.shop.example?ca=/etc/ca.pem", Server("smtp.shop.example", ca_file="/etc/ca.pem")),
        ],
    )
    def test_a_url_says_it_all(self, url: str, server: Server) -> None:
        assert Server.from_url(url) == server

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("", "begins with no scheme: use one of submission://, submissions://"),
            ("smtp.shop.example:587", "begins with no scheme"),
            ("user:s3cret@smtp.shop.example", "begins with no scheme"),
            ("submission:smtp.shop.example", "begins with no scheme"),
            ("submission://", "the host is empty"),
            ("http://smtp.shop.example", "begins with 'http': use one of submission://"),
            ("smtp+tls://smtp.shop.example", "begins with 'smtp+tls'"),
            ("s3cret/of/some/kind://x", "begins with no scheme"),
            ("smtp://smtp.shop.example", "smtp:// needs a port"),
            ("smtp://smtp.shop.example:25", "port 25 is for servers talking to servers"),
            ("submission://:587", "the host is empty"),
            ("submission://smtp.shop.example:99999", "cannot be read"),
            ("submission://smtp.shop.example:0", "cannot be read"),
            ("submission://smtp.shop.example:x", "cannot be read"),
            ("submission://[::1", "cannot be read"),
            ("submission://smtp.shop.example/path", "cannot be read"),
            ("submission://smtp.shop.example#x", "cannot be read"),
            ("submission://smtp.shop.example\r\n", "take it out"),
            ("submission://smtp shop", "is no host name"),
            ("submission://%FF.example", "the host in the server's URL is not UTF-8"),
            ("submission://user@smtp.shop.example", "the password is empty"),
            ("submission://:s3cret@smtp.shop.example", "the user name is empty"),
            ("submission://user:@smtp.shop.example", "the password is empty"),
            ("submission://user:s3cret%00@smtp.shop.example", "the password is empty, no text, or holds a NUL"),
            ("submission://user:s3cret%FF@smtp.shop.example", "the password in the server's URL is not UTF-8"),
            ("submission://s3cret%FF:x@smtp.shop.example", "the user name in the server's URL is not UTF-8"),
            ("submission://user:s3cret%@smtp.shop.example", "the password in the server's URL holds a '%'"),
            ("submission://user:s3cret%zz@smtp.shop.example", "write it as %25"),
            ("submission://smtp.shop.example?timeout", "no value, or two"),
            ("submission://smtp.shop.example?timeout=", "no value, or two"),
            ("submission://smtp.shop.example?timeout=1&timeout=2", "no value, or two"),
            ("submission://smtp.shop.example?timeout=soon", "use seconds, such as timeout=60"),
            ("submission://smtp.shop.example?timeout=0", "use seconds above 0"),
            ("submission://smtp.shop.example?timeout=nan", "use seconds above 0"),
            ("submission://smtp.shop.example?verify=no", "use timeout, ehlo, ca, tls, dane, pace, window, mails"),
            ("submission://smtp.shop.example?&", "use timeout, ehlo, ca, tls, dane"),
            ("submission://smtp.shop.example?dane=maybe", "use required, if-published, or leave it out"),
            ("submission://192.0.2.1?dane=required", "write the name"),
            ("submission://smtp.shop.example?dane=required&tls=opportunistic", "leave Tls.OPPORTUNISTIC out"),
            ("submission://smtp.shop.example?pace=fast", "only pace=careful is"),
            ("submission://smtp.shop.example?window=-1", "is no whole number: write window=100"),
            ("submission://smtp.shop.example?window=٤", "is no whole number"),
            ("submission://smtp.shop.example?window=1001", "use 0 to 1000"),
            ("submission://smtp.shop.example?mails=0", "mails_per_connection is 0: use 1 to 1000000"),
            ("submission://smtp.shop.example?mails=1e3", "is no whole number"),
            ("submission://smtp.shop.example?ca=%00", "give the path of a PEM file"),
            ("submission://smtp.shop.example?ehlo=a%0d%0ab", "cannot be said in EHLO"),
            ("submission://smtp.shop.example?tls=off", "only tls=opportunistic does"),
            ("submissions://smtp.shop.example?tls=opportunistic", "only tls=opportunistic does"),
            (None, "is NoneType: write it as text"),
        ],
    )
    def test_a_url_that_cannot_be_is_refused_unseen(self, url: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            Server.from_url(url)
        assert says in str(refused.value)
        assert "s3cret" not in told(refused.value)

    # Each part has a mark of its own, so that any piece of the password that gets out is found.
    @pytest.mark.parametrize(
        "sign", ["/", "?", "#", "@", ":", "%", "[", "]", "\\", "&", "=", " ", "/@", "?@:", "℀", "%FF"]
    )
    @pytest.mark.parametrize(
        "url", ["submission://user:{}@smtp.shop.example:587", "submission://user:{}@[::1]?timeout=5"]
    )
    @pytest.mark.parametrize("first", ["hunter1", "111111"])
    def test_a_password_that_was_not_encoded_is_read_whole_or_never_shown(
        self, first: str, url: str, sign: str
    ) -> None:
        password = f"{first}{sign}hunter2{sign}hunter3"
        try:
            server = Server.from_url(url.format(password))
        except ConfigurationError as refused:
            assert not [piece for piece in (first, "hunter") if piece in told(refused)]
        else:
            assert server.credentials == Credentials("user", password)
            assert "hunter" not in repr(server)

    @pytest.mark.parametrize(
        "setting",
        [
            "submission://user:hunter2@smtp.shop.example:587",
            "submission://user:hunter2\u00fc@smtp.shop.example",
            "user:hunter2@smtp.shop.example",
            "https://smtp.shop.example/?key=hunter2",
        ],
    )
    @pytest.mark.parametrize("part", ["host", "certificate_name"])
    def test_a_url_in_place_of_a_name_is_refused_without_a_word_of_it(self, part: str, setting: str) -> None:
        parts: dict[str, Any] = {"host": "smtp.shop.example", part: setting}
        with pytest.raises(ConfigurationError, match="from_url") as refused:
            Server(**parts)
        assert "hunter" not in told(refused.value)

    @given(st.text(st.sampled_from("/?#@:%[]\\&= ab1℀ü")), st.sampled_from(sorted(SCHEMES)))
    @example(password="/1?2#3@4:5", scheme="submission")
    def test_no_piece_of_any_password_is_ever_shown(self, password: str, scheme: str) -> None:
        marked = "".join(f"{sign}hunter" for sign in password)
        try:
            server = Server.from_url(f"{scheme}://user:hunter{marked}@smtp.shop.example:587?timeout=5")
        except ConfigurationError as refused:
            assert "hunter" not in told(refused)
        else:
            assert server.host == "smtp.shop.example"
            assert "hunter" not in repr(server) + str(server)

    @given(SECRET, SECRET, st.sampled_from(["submission", "submissions", "smtps", "smtp+starttls"]))
    def test_encoded_credentials_come_back(self, username: str, password: str, scheme: str) -> None:
        server = Server.from_url(f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@[2001:db8::1]:2525")
        assert server.credentials == Credentials(username, password)
        assert (server.host, server.port, server.tls) == ("2001:db8::1", 2525, SCHEMES[scheme][0])

    @given(st.text())
    def test_any_text_is_a_server_or_refused(self, text: str) -> None:
        for url in (
            text,
            f"submission://{text}",
            f"submission://user:{text}@smtp.shop.example",
            f"smtp://a:587?{text}",
        ):
            try:
                server = Server.from_url(url)
            except ConfigurationError:
                continue
            assert server.port != 25

    def test_every_option_and_scheme_is_told_of(self) -> None:
        documented = Server.from_url.__doc__ or ""
        assert [name for name in (*SCHEMES, *OPTIONS) if f"``{name}" not in documented] == []
