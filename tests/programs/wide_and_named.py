"""Two paths of kernels of different sizes, joined; the model as text and made again."""
from pellucid import keras
from pellucid.keras.layers import Activation, AveragePooling2D, Concatenate, Conv2D, Dense, GlobalMaxPooling2D, Input
from pellucid.keras.models import Model, model_from_json

(x, y), _ = keras.datasets.cifar10.load_data()
entry = Input(shape=(32, 32, 3), name="picture")
small = Conv2D(4, (1, 1), padding="same", activation="relu", name="one")(entry)
middle = Conv2D(4, (3, 3), padding="same", activation="relu", name="three")(entry)
large = Conv2D(4, (5, 5), padding="same", activation="relu", name="five")(entry)
joined = Concatenate(axis=-1)([small, middle, large])
x1 = AveragePooling2D(pool_size=(4, 4))(joined)
x1 = Conv2D(8, 3, use_bias=False, dilation_rate=2, kernel_initializer=keras.initializers.HeNormal(seed=1))(x1)
x1 = GlobalMaxPooling2D()(x1)
answer = Activation("softmax")(Dense(10)(x1))
model = Model(inputs=entry, outputs=answer)
print(model.get_layer("three").output.shape, model.input_shape, model.output_shape, model.count_params())
model.compile(optimizer=keras.optimizers.Adadelta(learning_rate=1.0), loss="sparse_categorical_crossentropy")
model.fit(x.astype("float32") / 255, y, epochs=1, batch_size=16, verbose=0)
again = model_from_json(model.to_json())
again.set_weights(model.get_weights())
print(again.predict(x[:1] / 255.0).sum())
