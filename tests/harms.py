"""What happens to files: ways to damage bytes, by chance and on purpose. A harm takes the bytes and a generator of numbers."""

import numpy as np

#: What somebody who means harm, or a careless program, writes into a text.
TOKENS = (
    b"null",
    b"{}",
    b"[]",
    b"[" * 3000,
    b'{"a":' * 2000,
    b"1e999",
    b"-1",
    b"NaN",
    b"9" * 5000,
    b"99999999999999999999",
    b'"\\ud800"',
    b'"../../x"',
    b'"/etc/x"',
    b"..\\..\\x",
    b"C:/x",
    b"\x00",
    b"\x1b[2J",
    b"=cmd()",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b'""',
    b"'",
    b",",
    b"\n",
    b"\r",
    b"\t",
    b";",
    b"true",
    b"0.5",
    b"a" * 2000,
    b'"label"',
    b"/",
    b"//",
    b".",
)


def truncate(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(1, len(data))) :]


def flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), int(rng.integers(1, 40))):
        data[at] ^= 1 << int(rng.integers(8))


def flip_header_bits(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(0, min(len(data), 200), int(rng.integers(1, 8))):
        data[at] ^= 1 << int(rng.integers(8))


def cut_out(data: bytearray, rng: np.random.Generator) -> None:
    a, b = sorted(rng.integers(0, len(data), 2))
    del data[a:b]


def overwrite(data: bytearray, rng: np.random.Generator) -> None:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    data[at : at + size] = rng.bytes(size)


def claim_huge(data: bytearray, rng: np.random.Generator) -> None:
    """Numbers of the header become enormous: width, height, lengths of boxes and chunks."""
    sizes = {b"\x89P": 16, b"BM": 18}  # where PNG and BMP keep width and height
    at = sizes.get(bytes(data[:2]), int(rng.integers(4, min(max(len(data), 5), 120))))
    data[at : at + 8] = b"\x7f\xff\xff\xf0" * 2


def empty(data: bytearray, rng: np.random.Generator) -> None:
    data.clear()


def write_token(data: bytearray, rng: np.random.Generator) -> None:
    """A token in the place of some bytes."""
    at = int(rng.integers(len(data)))
    data[at : at + int(rng.integers(0, 12))] = TOKENS[int(rng.integers(len(TOKENS)))]


def replace_value(data: bytearray, rng: np.random.Generator) -> None:
    """A token in the place of a whole value of a text: what stands between two marks."""
    marks = [at for at, sign in enumerate(data) if sign in b',:;\n\t[]{}"']
    if len(marks) > 1:
        at = int(rng.integers(len(marks) - 1))
        data[marks[at] + 1 : marks[at + 1]] = TOKENS[int(rng.integers(len(TOKENS)))]


def repeat(data: bytearray, rng: np.random.Generator) -> None:
    """A part stands several times."""
    a, b = sorted(rng.integers(0, len(data), 2))
    data[a:a] = bytes(data[a : min(b, a + 2000)]) * int(rng.integers(1, 20))


def write_number(data: bytearray, rng: np.random.Generator) -> None:
    """A number of 1, 2, 4 or 8 bytes becomes extreme: a length, a count, an offset."""
    size = int(rng.choice([1, 2, 4, 8]))
    at = int(rng.integers(len(data)))
    number = int(
        rng.choice([0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size - 2)]) if size < 8 else 2**40
    )
    data[at : at + size] = number.to_bytes(size, "little" if rng.random() < 0.5 else "big")


#: Harms that are as likely for a photograph as for a table.
HARMS = (truncate, flip_bits, flip_header_bits, cut_out, overwrite, claim_huge, empty)
#: All of them.
ALL_HARMS = (*HARMS, write_token, replace_value, repeat, write_number, write_token, replace_value, write_number)
