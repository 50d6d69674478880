import { defineCommand } from '../define-command.js';

/** How a shell asks for completions: this flag, the program's name, and the words so far. */
const completionFlag = '--get-yargs-completions';

export const completionCommand = defineCommand(
  {
    command: 'completion [shell]',
    describe: 'Print a completion script for bash, zsh or fish',
    positionals: {
      shell: { choices: ['bash', 'zsh', 'fish'] as const, describe: 'by default the one in SHELL' },
    },
    options: {},
    examples: [
      ['completion bash', 'in ~/.bashrc:  source <(launch completion bash)'],
      ['completion fish', 'in config.fish:  launch completion fish | source'],
    ],
  },
  async (context, args) => {
    const shell = args.shell ?? shellOf(context.environment['SHELL']);
    context.emit({ shell, script: scripts[shell] }, () => scripts[shell]);
  },
);

/** The words that a shell wants completed, the last one perhaps empty; undefined for any other call. */
export function wordsToComplete(args: readonly string[]): readonly string[] | undefined {
  return args[0] === completionFlag ? args.slice(2) : undefined;
}

type Shell = 'bash' | 'zsh' | 'fish';

function shellOf(path: string | undefined): Shell {
  if (path?.endsWith('/zsh') === true) return 'zsh';
  return path?.endsWith('/fish') === true ? 'fish' : 'bash';
}

const scripts: Readonly<Record<Shell, string>> = {
  // Names may have spaces: one a line, and quoted as the shell wants it.
  bash: `_launch() {
  local IFS=$'\\n' word=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  local candidate
  for candidate in $(launch ${completionFlag} "\${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null); do
    case $candidate in "$word"*) COMPREPLY+=("$(printf %q "$candidate")") ;; esac
  done
}
complete -o default -F _launch launch
`,
  zsh: `#compdef launch
_launch() {
  local -a candidates
  candidates=("\${(@f)$(launch ${completionFlag} "\${(@)words[1,CURRENT]}" 2>/dev/null)}")
  if (( \${#candidates[1]} )); then compadd -- $candidates; else _files; fi
}
compdef _launch launch
`,
  fish: `complete -c launch -a '(launch ${completionFlag} (commandline -opc) (commandline -ct) 2>/dev/null)'
`,
};
