import keras
from keras import layers

EPOCHS, BATCH_SIZE, LABELS = 2, 20, ["bad", "good"]


def build_model():
    words = layers.TextVectorization(max_tokens=12, output_sequence_length=2, vocabulary=["good", "bad"])
    text, size = keras.Input((), dtype="string", name="what it says"), keras.Input((1,), name="size")
    said = layers.GlobalAveragePooling1D()(layers.Embedding(12, 4)(words(text)))
    outputs = {
        "length": layers.Dense(1, name="length")(size),
        "mood": layers.Dense(2, "softmax", name="mood")(said),
    }
    model = keras.Model({"what it says": text, "size": size}, outputs)
    model.compile(
        keras.optimizers.Adam(0.05),
        {"length": "mse", "mood": "sparse_categorical_crossentropy"},
        metrics={"mood": ["accuracy"]},
    )
    return model
