// Stands before Voilà's loader, which runs the function once it is set up and has not begun: see unneeded_scripts.py.
(self.webpackChunk_JUPYTERLAB_CORE_OUTPUT = self.webpackChunk_JUPYTERLAB_CORE_OUTPUT || []).push([["workbench"], {}, (webpack) => {
  const NEWEST = 999;
  const shared = (webpack.S.default = webpack.S.default || {});
  // The newest version of a module is taken; the one that Voilà has stays beside it.
  const offer = (name, major, make = async () => ({})) => {
    const get = async () => {
      const module = { __esModule: true, ...(await make()) };
      return () => module;
    };
    shared[name] = { [`${major}.${NEWEST}.0`]: { get, from: "workbench", eager: false } };
  };
  const original = async (name) => {
    const own = Object.entries(shared[name]).find(([version]) => !version.endsWith(`.${NEWEST}.0`));
    return (await own[1].get())();
  };
  const once = (make) => {
    let made = null;
    return () => (made = made || make());
  };

  // Voilà's entry names these and uses nothing of them; settings have toolbars, and a page has none.
  for (const name of ["console", "logconsole", "mainmenu", "notebook", "settingregistry"]) offer(`@jupyterlab/${name}`, 4);
  offer("@lumino/datagrid", 2);

  // Of the editor, a page has the colours of code in Markdown that its cells display; it is fetched when there is some.
  const languages = { name: "@jupyterlab/codemirror:IEditorLanguageRegistry" };
  const editor = once(async () => {
    const [{ EditorLanguageRegistry, jupyterHighlightStyle }, { StyleModule }] = await Promise.all(
      ["@jupyterlab/codemirror", "style-mod"].map(original),
    );
    if (jupyterHighlightStyle.module) StyleModule.mount(document, jupyterHighlightStyle.module);
    const registry = new EditorLanguageRegistry();
    for (const language of EditorLanguageRegistry.getDefaultLanguages()) registry.addLanguage(language);
    return registry;
  });
  const highlighter = {
    findBest: (language) => language,
    highlight: async (code, language, where) => {
      const registry = await editor();
      return registry.highlight(code, registry.findBest(language), where);
    },
  };
  offer("@jupyterlab/codemirror", 4, async () => ({ IEditorLanguageRegistry: languages, jupyterHighlightStyle: {} }));
  offer("@jupyterlab/codemirror-extension", 4, async () => ({
    default: [
      { id: "@jupyterlab/codemirror-extension:languages", autoStart: true, provides: languages, activate: () => highlighter },
    ],
  }));

  // MathJax is fetched for a text in which one of the signs stands that it looks for.
  const FORMULA = /\$[^$]+\$|\\[([]|\\begin\{/;
  offer("@jupyterlab/mathjax-extension", 4, async () => ({
    default: {
      id: "@jupyterlab/mathjax-extension:plugin",
      autoStart: true,
      provides: (await original("@jupyterlab/rendermime")).ILatexTypesetter,
      activate: (app) => {
        const typesetter = once(async () => (await original("@jupyterlab/mathjax-extension")).default.activate(app));
        return {
          typeset: async (node) => {
            if (FORMULA.test(node.textContent)) await (await typesetter()).typeset(node);
          },
        };
      },
    },
  }));
}]);
