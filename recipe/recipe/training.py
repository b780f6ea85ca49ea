import keras
from keras import layers

EPOCHS, BATCH_SIZE, LABELS, CLASS_WEIGHT = 2, 20, ["dark", "bright"], {1: 1.5}
CALLBACKS = [
    keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / (1 + epoch)),
    keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
]


def build_model():
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.GaussianNoise(0.01),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    return model
