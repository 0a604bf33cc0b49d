/* Search works in a worker, which a page that was opened as a file may not have: there it works in a hidden frame. */
class IFrameWorker extends EventTarget {
  constructor(address) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.srcdoc = "<!doctype html><body></body>";
    this.ready = new Promise((loaded) => {
      frame.onload = () => {
        this.inside = frame.contentWindow;
        const load = (source) =>
          new Promise((done, failed) => {
            const script = Object.assign(this.inside.document.createElement("script"), { src: source });
            script.onload = done;
            script.onerror = failed;
            this.inside.document.body.append(script);
          });
        this.inside.importScripts = async (...sources) => {
          for (const source of sources) await load(source);
        };
        this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        load(new URL(address, location.href).href).then(loaded);
      };
    });
    document.body.append(frame);
  }

  postMessage(data) {
    this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
  }
}

if (location.protocol === "file:") window.IFrameWorker = IFrameWorker;

/* One index holds both languages: a page looks among the pages of its own, and in the API, which is written once. */
const Plain = location.protocol === "file:" ? IFrameWorker : window.Worker;
window.Worker = class extends Plain {
  postMessage(message) {
    const docs = message?.data?.docs;
    if (docs) {
      const own = document.documentElement.lang === "ko" ? /^(ko|api)\// : /^(?!ko\/)/;
      message.data.docs = docs.filter((page) => own.test(page.location));
    }
    super.postMessage(message);
  }
};
