"""What every client of these tests does: it says once a second what it sees and hears, a line of JSON each.

`pixels` are COLUMNS x ROWS samples of the composite, `rrggbb` each, row by row; `loudness` is the loudest sound's RMS so
far, 1 being full scale."""

import json
import math
import re
import sys
import urllib.request
from array import array
from urllib.parse import urljoin

COLUMNS, ROWS = 32, 18


class Sight:
    def __init__(self):
        self.pixels, self.loudness = [], 0.0

    def look(self, rows):
        """Takes a picture of COLUMNS x ROWS, each row RGB bytes."""
        self.pixels = [row[3 * x : 3 * x + 3].hex() for row in rows for x in range(COLUMNS)]

    def hear(self, samples):
        """Takes bytes of signed samples of 16 bits."""
        values = array("h", bytes(samples)[: len(bytes(samples)) // 2 * 2])
        if values:
            power = sum(value * value for value in values) / len(values)
            self.loudness = max(self.loudness, math.sqrt(power) / 32768)

    def tell(self):
        print(json.dumps({"pixels": self.pixels, "loudness": self.loudness}), flush=True)


def post(url, offer):
    """Posts an offer. Gives the answer, and where a publisher hears the room without its own voice."""
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(request) as response:
            link = re.search(r"<([^>]*[?]as=[^>]*)>", ",".join(response.headers.get_all("Link", [])))
            return response.read().decode(), link and urljoin(url, link[1])
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode()}")
