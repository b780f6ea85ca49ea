"""``completion``: what a shell needs to complete commands and options; made from the parser, so it starts nothing when used."""

import argparse
import shlex
from collections.abc import Iterator, Mapping

from workbench.cli import output
from workbench.settings import Settings

SHELLS = ("bash", "zsh", "fish")
ENDS = {
    "bash": '# eval "$(workbench completion bash)"        in ~/.bashrc',
    "zsh": '# eval "$(workbench completion zsh)"         in ~/.zshrc, behind compinit',
    "fish": "# workbench completion fish > ~/.config/fish/completions/workbench.fish",
}
"""Where it goes."""


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    verb = verbs.add("completion", _completion, "what completes commands and options in a shell")
    verb.add_argument("shell", choices=SHELLS)
    verb.set_defaults(verbs=verbs)


def _completion(arguments: argparse.Namespace, _: Settings) -> None:
    words = find_words(arguments.verbs.parsers)
    make = _fish if arguments.shell == "fish" else _bash
    print(ENDS[arguments.shell])
    if arguments.shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print("\n".join(make(words, arguments.verbs.texts)))


def find_words(parsers: Mapping[str, argparse.ArgumentParser], before: str = "") -> dict[str, list[str]]:
    """Find what may follow each command and each option with a choice, by the words before it.

    An option without a choice of its own has an empty list: then a file may follow.
    """
    found: dict[str, list[str]] = {} if before else {"": list(parsers)}
    for name, parser in parsers.items():
        place = f"{before} {name}".strip()
        found[place] = []
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found[place] += action.choices
                found |= find_words(action.choices, place)
            elif action.option_strings:
                found[place] += action.option_strings
                if action.nargs != 0:
                    for option in action.option_strings:
                        found[f"{place} {option}"] = [str(one) for one in action.choices or ()]
            else:
                found[place] += [str(one) for one in action.choices or ()]
    return found


def _bash(words: Mapping[str, list[str]], _: Mapping[str, str]) -> Iterator[str]:
    # No associative array: the bash of a Mac has none.
    yield "_workbench_words() {"
    yield '  case "$1" in'
    for place, following in words.items():
        yield f"    {shlex.quote(place)}) echo {shlex.quote(' '.join(following))} ;;"
    yield "    *) return 1 ;;"
    yield "  esac"
    yield "}"
    yield "_workbench() {"
    yield '  local now="${COMP_WORDS[COMP_CWORD]}" place="" last="" word next'
    yield '  for word in "${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do'
    yield '    next="${place:+$place }$word"'
    yield '    last="$word"'
    yield '    if [[ "$word" != -* ]] && _workbench_words "$next" > /dev/null; then place="$next"; fi'
    yield "  done"
    yield '  next="$place $last"'
    yield '  if [[ "$last" == -* ]] && _workbench_words "$next" > /dev/null; then place="$next"; fi'
    yield '  COMPREPLY=($(compgen -W "$(_workbench_words "$place")" -- "$now"))'
    # A recipe, a picture or a folder: whatever is there.
    yield '  if [[ -n "$place" && "$now" != -* ]]; then COMPREPLY+=($(compgen -f -- "$now")); fi'
    yield "}"
    yield "complete -o filenames -F _workbench workbench"


def _fish(words: Mapping[str, list[str]], texts: Mapping[str, str]) -> Iterator[str]:
    for name in words[""]:
        said = texts[name].replace("'", "\\'")
        yield f"complete -c workbench -n __fish_use_subcommand -f -a {name} -d '{said}'"
    for place, following in words.items():
        names = place.split()
        if not names or names[-1].startswith("-"):
            continue
        seen = "; and ".join(f"__fish_seen_subcommand_from {name}" for name in names)
        for word in following:
            if word.startswith("--"):
                choices = words.get(f"{place} {word}")
                value = "" if choices is None else f" -x -a '{' '.join(choices)}'" if choices else " -r"
                yield f"complete -c workbench -n '{seen}' -l {word[2:]}{value}"
            elif not word.startswith("-"):
                yield f"complete -c workbench -n '{seen}' -a {word}"
