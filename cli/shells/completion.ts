/** Scripts that make shells complete commands, options and values: bash, zsh and fish. */
import type { DescribedCommand, DescribedOption } from "./described-commands.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/**
 * @returns the script, which the shell is to read
 *
 * @example
 * completionScript("fish", await describeCommands(commands)); // "complete -c spillway -f\n…"
 */
export function completionScript(shell: Shell, commands: readonly DescribedCommand[]): string {
  switch (shell) {
    case "bash":
      return bashScript(commands);
    case "zsh":
      return zshScript(commands);
    case "fish":
      return fishScript(commands);
  }
}

/** The first words of commands, each once, with a description. */
function firstWords(commands: readonly DescribedCommand[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, description } of commands) {
    const [word = "", second] = name.split(" ");
    if (!found.has(word)) found.set(word, second === undefined ? description : `commands of ${word}`);
  }
  return found;
}

/** By the first word of commands of two words, the second ones. */
function groups(commands: readonly DescribedCommand[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [word = "", second] = name.split(" ");
    if (second !== undefined) found.set(word, [...(found.get(word) ?? []), second]);
  }
  return found;
}

function flagsOf({ options }: DescribedCommand): string[] {
  return [...options.flatMap(({ names }) => names), "--help"];
}

/** A sentence for a menu: what is in brackets at its end, the defaults, is for help. */
function short(text: string): string {
  return text.replace(/ \(.*$/s, "").replaceAll(/\s+/g, " ");
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bashScript(commands: readonly DescribedCommand[]): string {
  const seconds = groups(commands);
  const cases = commands.map((command) => {
    const values = command.options.filter(({ value }) => value !== undefined);
    const branches = values.map((option) => {
      const words = option.choices.length > 0 ? `words=${quoted(option.choices.join(" "))}` : "words=";
      return `        ${option.names.join("|")}) ${words}; files=${option.mayBePath ? 1 : 0} ;;`;
    });
    const places = command.places.flatMap(({ choices }) => choices);
    return `    ${quoted(command.name)})
      words=${quoted([...places, ...flagsOf(command)].join(" "))}
      case "$before" in
${branches.join("\n")}
      esac
      ;;`;
  });
  const nested = [...seconds].map(
    ([word, names]) => `    ${word}) words=${quoted(`${names.join(" ")} --help`)} ;;`,
  );
  return `# Completion of spillway for bash: eval "$(spillway completion bash)"
_spillway() {
  local now=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} words files=1
  case "$command" in
    ${[...seconds.keys()].join("|") || "-"}) [ "$COMP_CWORD" -lt 3 ] || command="$command \${COMP_WORDS[2]}" ;;
  esac
  [ "$COMP_CWORD" -gt 1 ] || command=
  case "$command" in
    '') words=${quoted([...firstWords(commands).keys(), "help", "--help", "--version"].join(" "))} files=0 ;;
${nested.join("\n")}
${cases.join("\n")}
    *) words= ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$now"))
  if [ \${#COMPREPLY[@]} -eq 0 ] && [ "$files" = 1 ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$now"))
  fi
}
complete -F _spillway spillway
`;
}

/** In the specification of an option, brackets and colons have a meaning of their own. */
function zshText(text: string): string {
  return short(text).replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}

function zshOption({ names, description, value, choices, mayBePath }: DescribedOption): string[] {
  const action = choices.length > 0 ? `(${choices.join(" ")})` : mayBePath ? "_files" : " ";
  const after = value === undefined ? "" : `:${value}:${action}`;
  return names.map((name) => quoted(`*${name}[${zshText(description)}]${after}`));
}

function zshScript(commands: readonly DescribedCommand[]): string {
  const seconds = groups(commands);
  const cases = commands.map(({ name, options, places }) => {
    const given = places.map((place, index) =>
      quoted(
        `${index + 1}:${place.name}:${place.choices.length > 0 ? `(${place.choices.join(" ")})` : "_files"}`,
      ),
    );
    const specs = [...options.flatMap(zshOption), quoted("--help[display help]"), ...given];
    return `    ${quoted(name)}) _arguments -s ${specs.join(" \\\n      ")} ;;`;
  });
  const first = [...firstWords(commands)].map(([word, text]) => quoted(`${word}:${zshText(text)}`));
  const nested = [...seconds].map(([word, names]) => `    ${word}) compadd -- ${names.join(" ")}; return ;;`);
  return `#compdef spillway
# Completion of spillway for zsh: spillway completion zsh > a folder of fpath, as the file _spillway
_spillway() {
  local -a first
  first=(${first.join(" ")})
  if (( CURRENT == 2 )); then
    _describe command first
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case "$command" in
    ${[...seconds.keys()].join("|") || "-"})
      if (( CURRENT > 2 )); then
        command="$command $words[2]"
        shift words
        (( CURRENT-- ))
      fi
      ;;
  esac
  case "$command" in
${nested.join("\n")}
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = "_spillway" ]; then
  _spillway "$@"
else
  compdef _spillway spillway
fi
`;
}

function fishText(text: string): string {
  return `'${short(text)
    .replaceAll("\\", String.raw`\\`)
    .replaceAll("'", String.raw`\'`)}'`;
}

function fishScript(commands: readonly DescribedCommand[]): string {
  const seconds = groups(commands);
  const first = [...firstWords(commands)].map(
    ([word, text]) => `complete -c spillway -n __fish_use_subcommand -a ${word} -d ${fishText(text)}`,
  );
  const lines = commands.flatMap(({ name, description, options, places }) => {
    const [word = "", second] = name.split(" ");
    const inWord = `__fish_seen_subcommand_from ${word}`;
    const at = second === undefined ? inWord : `${inWord}; and __fish_seen_subcommand_from ${second}`;
    const here = `complete -c spillway -n '${at}'`;
    const choices = places.flatMap((place) => place.choices);
    return [
      ...(second === undefined
        ? []
        : [
            `complete -c spillway -n '${inWord}; and not __fish_seen_subcommand_from ${(seconds.get(word) ?? []).join(" ")}' -a ${second} -d ${fishText(description)}`,
          ]),
      ...(choices.length > 0 ? [`${here} -a '${choices.join(" ")}'`] : []),
      ...(places.some((place) => place.choices.length === 0) ? [`${here} -F`] : []),
      ...options.map((option) => {
        const names = option.names.map((each) =>
          each.startsWith("--") ? `-l ${each.slice(2)}` : `-s ${each.slice(1)}`,
        );
        const files = option.mayBePath ? " -r -F" : option.value === undefined ? "" : " -x";
        const values = option.choices.length > 0 ? ` -a '${option.choices.join(" ")}'` : "";
        return `${here} ${names.join(" ")}${files}${values} -d ${fishText(option.description)}`;
      }),
    ];
  });
  return `# Completion of spillway for fish: spillway completion fish > ~/.config/fish/completions/spillway.fish
complete -c spillway -f
complete -c spillway -l help -d 'display help'
complete -c spillway -n __fish_use_subcommand -l version -d 'print the version'
${[...first, ...lines].join("\n")}
`;
}
