"""Samples: secrets that everybody knows, and the words such secrets are made of.

Law: pure. Only what is as long as a secret must be stands among the samples.
"""

__all__ = ["SAMPLES", "WORDS"]

SAMPLES = frozenset(
    (
        # each stands in a document or a template that is copied, and was found in applications
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # Flask
        "upnvntn3cdxhjpq99ymc1t1aqgqpc8kfyturgbiya15blrx8etqoxz3gzv1/u2oq",  # Supabase
        "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",  # Spring Boot, JWT
        "2r5u8x/ad*g-kapdsgvkyp3s6v9y$b&e(h+mbqethwmzq4t7wzc*f-j@ncrf",  # a generator's example
    )
)
"""In small letters, without white space around."""

# Longest first, so that "secretkey" goes before "secret".
WORDS = sorted(
    (  # noqa: SIM905 - a hundred words read better without quotes
        "secret secrets password passphrase passwd changeme change replace please this that with "
        "your yours super supersecret mysecret my the key secretkey signing signingkey value here "
        "must should least at long longer length minimum characters chars character bytes byte "
        "random string text insecure unsafe default example sample demo dummy placeholder test "
        "testing dev development production local session sessions cookie cookies token jwt auth "
        "app application flask django fastapi starlette pyramid beaker tornado iron holdfast very "
        "really not so safe secure complex strong hard guess todo fixme foo bar baz qux hello "
        "world abc abcdef abcdefgh abcdefghijklmnopqrstuvwxyz qwerty qwertyuiop asdf letmein "
        "admin root user hunter2 keyboard cat correct horse battery staple seekrit shh some "
        "something into for and only keep before deploy deploying thirtytwo thirty two one "
        "0123456789 123456789 12345678 1234567890 123456 1234 123 0000 32 64 deadbeef cafebabe "
        "generate own prod in is it its to be of or an use used never commit set me bit bits env "
        "variable encryption encrypt fallback temporary temp awesome great particularly sign data "
        "openssl rand hex base64 256 512 128 16 a-z 1q2w3e4r 5t6y7u8i 9o0p 1qaz2wsx 3edc4rfv "
        "quick brown fox jumps over lazy dog access refresh api server client database nobody "
        "knows know will ever can cannot may more than no yes need needs enough new old real "
        "urlsafe nbytes postgres"
    ).split(),
    key=len,
    reverse=True,
)
