// The way from JupyterLab to the workbench: links in its top bar, and cards in its launcher; and nothing moves for who wants that. A prebuilt extension, as
// JupyterLab loads them: a container with `init` and `get`, here written by hand, since three plain functions need no build.
// https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#prebuilt-extensions

{
  const CATEGORY = "Workbench";
  const NOTEBOOKS = [
    ["00-mnist-cnn.ipynb", "Tutorial", "Make a network that reads digits, step by step"],
    ["deploy_cluster.ipynb", "Train on a cluster", "Ask for a training on several machines"],
    ["serve_and_predict.ipynb", "Models and serving", "Which model answers, and how good each is"],
    ["datasets.ipynb", "Data sets", "Bring your own data"],
  ];

  /** The module that JupyterLab itself uses under this name. */
  const shared = async (scope, name) => {
    const versions = Object.values(scope[name] ?? {});
    const one = versions.find((version) => version.loaded) ?? versions[0];
    if (!one) throw new Error(`JupyterLab shares no ${name}`);
    return (await one.get())();
  };

  /** Links to the workbench's own pages, by where JupyterLab is served. */
  const links = () => {
    const { baseUrl } = JSON.parse(document.getElementById("jupyter-config-data").textContent);
    return [
      ["workbench:home", "Workbench", "Back to the workbench", `${baseUrl}workbench`],
      ["workbench:draw", "Drawing page", "Draw a digit, and the model that is deployed says what it sees", `${baseUrl}workbench/draw`],
    ];
  };

  const icon = (LabIcon, letter) =>
    new LabIcon({
      name: `workbench:${letter}`,
      svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#2458c5"/><path d="${letter}" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>`,
    });
  const SEVEN = "M7.5 7h9L11 18";
  const PEN = "M6 18c3-9 6-12 9-11s-3 6 3 8";

  /** JupyterLab itself goes on with its transitions where the visitor has asked for less motion. */
  const reduceMotion = () => {
    const style = document.createElement("style");
    const none = "animation: none !important; transition: none !important;";
    style.textContent = `@media (prefers-reduced-motion: reduce) { *, ::before, ::after { ${none} } }`;
    document.head.append(style);
  };

  const activate = ({ Widget, LabIcon }) => (app, launcher) => {
    reduceMotion();
    const bar = new Widget();
    bar.id = "workbench-links";
    for (const [id, label, caption, url] of links()) {
      app.commands.addCommand(id, {
        label,
        caption,
        icon: icon(LabIcon, id.endsWith("draw") ? PEN : SEVEN),
        execute: () => window.open(url, id.endsWith("home") ? "_self" : "_blank"),
      });
      launcher?.add({ command: id, category: CATEGORY, rank: id.endsWith("home") ? 0 : 1 });
      const link = document.createElement("a");
      Object.assign(link, { href: url, textContent: label, title: caption });
      if (id.endsWith("draw")) link.target = "_blank";
      Object.assign(link.style, { color: "var(--jp-ui-font-color1)", padding: "0 10px", lineHeight: "28px", whiteSpace: "nowrap" });
      bar.node.append(link);
    }
    Object.assign(bar.node.style, { display: "flex", alignItems: "center", minWidth: "max-content" });
    app.shell.add(bar, "top", { rank: 1000 });

    const open = "workbench:open";
    app.commands.addCommand(open, {
      label: ({ title }) => title ?? "Open a notebook of the workbench",
      caption: ({ sentence }) => sentence ?? "",
      icon: icon(LabIcon, SEVEN),
      execute: ({ path }) => app.commands.execute("docmanager:open", { path }),
    });
    NOTEBOOKS.forEach(([path, title, sentence], n) =>
      launcher?.add({ command: open, args: { path, title, sentence }, category: CATEGORY, rank: 2 + n }));
  };

  let scope = {};
  (window._JUPYTERLAB ??= {})["workbench-lab"] = {
    init: (given) => { scope = given; },
    get: async () => {
      const [{ ILauncher }, { Widget }, { LabIcon }] = await Promise.all(
        ["@jupyterlab/launcher", "@lumino/widgets", "@jupyterlab/ui-components"].map((name) => shared(scope, name)));
      const plugin = { id: "workbench-lab:plugin", autoStart: true, optional: [ILauncher], activate: activate({ Widget, LabIcon }) };
      return () => ({ __esModule: true, default: plugin });
    },
  };
}
