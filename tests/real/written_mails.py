"""Mails of every kind that an application may write."""

from hypothesis import strategies as st

from custom_smtp import Address, Attachment, Mail

MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("ada@example.net", "Ada"),
    subject="Your order",
    text="It is on its way.",
)

_letters = st.characters(exclude_categories=["Cc", "Cs"])
_words = st.text(st.one_of(st.sampled_from("abc ,;=?_\"'<>()@.-ü漢🎉"), _letters), max_size=90).map(
    lambda text: " ".join(text.split())
)
_lines = st.text(st.one_of(st.sampled_from("ab =.<>&\t-ü漢🎉"), _letters), max_size=120)
_bodies = st.lists(_lines, min_size=1, max_size=8).map("\n".join)
_addresses = st.builds(
    Address,
    st.sampled_from(["ada@example.net", "a.b+c=d@mail.example", "o'hara_{x}@a-b.example", "ada@bücher.example"]),
    _words,
)
_files = st.builds(
    Attachment,
    st.text(st.one_of(st.sampled_from("ab .-_ü漢"), _letters), min_size=1, max_size=60)
    .map(lambda name: " ".join(name.split()))
    .filter(bool),
    st.binary(max_size=400),
    st.sampled_from(["application/pdf", "application/zip", "image/png"]),
)
_pictures = st.builds(
    Attachment, st.just("logo.png"), st.binary(max_size=400), st.just("image/png"), st.sampled_from(["logo", "a@b"])
)

written_mails: st.SearchStrategy[Mail] = st.builds(
    lambda sender, to, subject, text, html, reply_to, files, picture, note: Mail(
        sender=sender,
        to=to,
        subject=subject,
        text=text,
        html=html,
        reply_to=reply_to,
        attachments=(*picture, *files) if html is not None else tuple(files),
        headers=(("X-Note", note),) if note else (),
    ),
    st.builds(Address, st.just("hello@shop.example"), _words),
    _addresses,
    _words,
    _bodies,
    st.none() | _bodies,
    st.none() | _addresses,
    st.lists(_files, max_size=2),
    st.lists(_pictures, max_size=1),
    _words,
)
