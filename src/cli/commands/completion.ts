import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Argument, Command } from 'commander';
import type { CommandContext, CommandDefinition } from '../command.ts';

interface Known {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly { readonly long: string; readonly about: string }[];
}

export const command: CommandDefinition = {
  name: 'completion',
  summary: 'Prints the completion of this command line for bash, zsh or fish',

  configure(command: Command): void {
    command.addArgument(
      new Argument('<shell>', 'as in: source <(sobaya completion bash)').choices(['bash', 'zsh', 'fish']),
    );
  },

  async run(context: CommandContext, _options: unknown, [shell]: readonly string[]): Promise<void> {
    const commands = await knownCommands();
    context.print(shell === 'fish' ? fish(commands) : shell === 'zsh' ? zsh(commands) : bash(commands));
  },
};

async function knownCommands(): Promise<Known[]> {
  const extension = extname(import.meta.filename);
  const files = readdirSync(import.meta.dirname).filter(
    (file) => file.endsWith(extension) && !file.endsWith('.d.ts'),
  );
  return await Promise.all(
    files.sort().map(async (file) => {
      const { command } = (await import(join(import.meta.dirname, file))) as { command: CommandDefinition };
      const probe = new Command();
      command.configure?.(probe);
      const options = probe.options.flatMap((option) =>
        option.long ? [{ long: option.long, about: option.description }] : [],
      );
      const common = [
        { long: '--app', about: 'the application' },
        { long: '--help', about: 'show help' },
        { long: '--traceback', about: 'show the whole stack' },
      ];
      return {
        name: command.name,
        summary: command.summary,
        options: [...options, ...common.filter((one) => !options.some((option) => option.long === one.long))],
      };
    }),
  );
}

const quote = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

function bash(commands: readonly Known[]): string {
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words=${quote(options.map((option) => option.long).join(' '))} ;;`,
  );
  return `_sobaya() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quote(commands.map((one) => one.name).join(' '))} -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _sobaya sobaya`;
}

function zsh(commands: readonly Known[]): string {
  const shielded = (text: string): string => text.replace(/[:[\]\\]/g, '\\$&');
  const cases = commands.map(
    ({ name, options }) =>
      `    ${name}) _arguments ${options.map((option) => quote(`${option.long}[${shielded(option.about)}]`)).join(' ')} '*:file:_files' ;;`,
  );
  return `#compdef sobaya
_sobaya() {
  local -a commands
  commands=(${commands.map((one) => quote(`${one.name}:${shielded(one.summary)}`)).join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _sobaya sobaya`;
}

function fish(commands: readonly Known[]): string {
  const lines = ['complete -c sobaya -n __fish_use_subcommand -f'];
  for (const { name, summary, options } of commands) {
    lines.push(`complete -c sobaya -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`);
    for (const option of options)
      lines.push(
        `complete -c sobaya -n '__fish_seen_subcommand_from ${name}' -l ${option.long.slice(2)} -d ${quote(option.about)}`,
      );
  }
  return lines.join('\n');
}
