"""The tutorial's back end of 2020, as such tutorials are still written: ``tutorial_flask.py MODEL.keras PORT``.

Flask's own server, the picture through a file, a plain resize, and ``model.predict`` for each request.
"""

import base64
import sys
import tempfile
from pathlib import Path

import cv2
import imageio.v2 as imageio
import keras
import numpy as np
from flask import Flask, request
from flask_cors import CORS

app = Flask(__name__)
CORS(app)
model = keras.models.load_model(sys.argv[1])
output = Path(tempfile.mkdtemp()) / "output.png"


@app.route("/predict/", methods=["GET", "POST"])
def predict() -> str:
    data = request.get_data(parse_form_data=False).partition(b"base64,")[2]
    own = output.with_stem(f"output-{id(data)}")  # the tutorial's single file mixes up two visitors' drawings
    own.write_bytes(base64.decodebytes(data))
    picture = imageio.imread(own, pilmode="L")
    own.unlink()
    x = cv2.resize(picture, (28, 28)).reshape(1, 28, 28, 1).astype("float32")
    return str(np.argmax(model.predict(x, verbose=0), axis=1)[0])


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[2]))
