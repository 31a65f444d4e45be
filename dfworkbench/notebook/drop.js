// A field for one file. It goes to the kernel in pieces, each sent when the one before has arrived, so its size is not limited by
// that of a message and the page can show how far it is.
const PIECE = 1 << 20;

function render({ model, el }) {
  const make = (tag, name, words = "") => {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = words;
    return made;
  };
  const field = make("div", "dfw-drop");
  const input = make("input", "");
  input.type = "file";
  input.accept = "image/*,video/*";
  input.setAttribute("aria-label", "Choose a picture or video");
  const words = make("div", "dfw-drop-words");
  words.setAttribute("aria-live", "polite");
  const choose = make("button", "dfw-drop-choose", "Choose a file");
  const stop = make("button", "dfw-drop-choose", "Stop");
  const bar = make("progress", "dfw-drop-bar");
  const problem = make("div", "dfw-drop-problem");
  problem.setAttribute("role", "alert");
  field.append(words, bar, choose, stop, input, problem);
  el.append(field);

  let file = null; // the one that is on its way
  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

  const draw = (came = 0) => {
    const busy = model.get("busy");
    words.textContent = file
      ? `${file.name}: ${size(came)} of ${size(file.size)}`
      : model.get("name") || "Drop a picture or video here";
    field.classList.toggle("has-file", !file && Boolean(model.get("name")));
    choose.textContent = model.get("name") ? "Choose another file" : "Choose a file";
    choose.hidden = file !== null;
    choose.disabled = busy;
    stop.hidden = bar.hidden = file === null;
    bar.value = file && file.size ? came / file.size : 0;
    problem.textContent = model.get("problem");
    problem.hidden = !problem.textContent;
    input.title = `up to ${size(model.get("most_bytes"))}`;
  };

  const begin = (chosen) => {
    if (!chosen || file || model.get("busy")) return;
    file = chosen;
    model.send({ kind: "begin", name: file.name, size: file.size });
    draw();
  };

  const answer = async (message) => {
    if (message.kind !== "next" || !file) {
      if (message.kind !== "next") file = null;
      draw();
      return;
    }
    const sent = file;
    draw(message.offset);
    const piece = await sent.slice(message.offset, message.offset + PIECE).arrayBuffer();
    if (file === sent) model.send({ kind: "piece", offset: message.offset }, undefined, [piece]);
  };

  choose.addEventListener("click", () => input.click());
  stop.addEventListener("click", () => model.send({ kind: "stop" }));
  input.addEventListener("change", () => {
    begin(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  for (const name of ["dragenter", "dragover"]) {
    field.addEventListener(name, (event) => {
      event.preventDefault();
      field.classList.add("is-over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    field.addEventListener(name, (event) => {
      event.preventDefault();
      field.classList.remove("is-over");
    });
  }
  field.addEventListener("drop", (event) => begin(event.dataTransfer.files[0]));
  model.on("msg:custom", answer);
  const redraw = () => draw();
  model.on("change:name change:problem change:busy", redraw);
  draw();
  return () => {
    model.off("msg:custom", answer);
    model.off("change:name change:problem change:busy", redraw);
  };
}

export default { render };
