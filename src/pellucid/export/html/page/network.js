// The network: what it answers for a picture, and how it learns from some. It knows no page.
import { engine } from "./engine.js";

/** kernels, contents: bytes; described: what export/html/programs.py says of the network. */
export async function network(kernels, described, contents) {
  const runs = await engine(kernels, described.program, contents);
  let steps = 0;
  return {
    /** How probable each class is. pixels: H * W * channels bytes, as `fitted` gives them. */
    answer(pixels) {
      runs.at("picture").set(pixels);
      runs.run("answer", 1);
      const shares = [...runs.at("shares")];
      return shares.length === 1 ? [1 - shares[0], shares[0]] : shares;
    },

    /** One step on so many examples; their mean loss before it, and how many were right. */
    learn(examples) {
      const { seed, rate } = described.learning;
      examples.forEach(({ pixels, label }, i) => {
        runs.at("pictures").set(pixels, i * pixels.length);
        runs.at("labels")[i] = label;
      });
      runs.at("control").set([rate, steps + 1, 1]);
      runs.at("counter").set([seed, steps]);
      runs.at("totals").fill(0);
      runs.run("train", examples.length);
      runs.refresh();
      steps += 1;
      const [loss, right] = runs.at("totals");
      return { step: steps, loss: loss / examples.length, right };
    },
  };
}
