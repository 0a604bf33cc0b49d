"""The generators that programs used before 2022."""
from pellucid.keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from pellucid.keras.models import Sequential
from pellucid.keras.preprocessing.image import ImageDataGenerator

img_width, img_height, batch_size = 24, 24, 4
train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
test_datagen = ImageDataGenerator(rescale=1.0 / 255)
train_generator = train_datagen.flow_from_directory("flowers", target_size=(img_width, img_height),
                                                    batch_size=batch_size, class_mode="binary")
validation_generator = test_datagen.flow_from_directory("flowers", target_size=(img_width, img_height),
                                                        batch_size=batch_size, class_mode="binary", shuffle=False)
print(train_generator.class_indices, train_generator.samples)
model = Sequential()
model.add(Conv2D(8, (3, 3), input_shape=(img_width, img_height, 3)))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dropout(0.5))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
model.fit(train_generator, steps_per_epoch=train_generator.samples // batch_size, epochs=3,
          validation_data=validation_generator, validation_steps=validation_generator.samples // batch_size)
model.save_weights("first_try.weights.h5")
print((model.predict(validation_generator) > 0.5).sum(), validation_generator.classes[:3])
