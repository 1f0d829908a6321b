import { valued, type Words } from './words.ts';

/** For fish: as a file in `~/.config/fish/completions/latchkey.fish`, or read in by `source`. */
export function fishScript(places: readonly Words[]): string {
  const options = valued(places).flatMap(({ long, short }) => (short === null ? [long] : [long, short]));
  const deep = places.filter(({ path }) => path !== '').map(({ path }) => fishWord(path));
  return `# fish completion of latchkey. Once: latchkey completion fish | source
function __latchkey_at --description 'the commands so far are these'
    set -l where ''
    set -l value no
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $value = yes
            set value no
            continue
        end
        set -l next (string trim -- "$where $word")
        if contains -- $word ${options.join(' ')}
            set value yes
        else if string match -q -- '-*' $word
            continue
        else if contains -- $next ${deep.join(' ')}
            set where $next
        end
    end
    test "$where" = "$argv[1]"
end
complete -c latchkey -f
${places.map(place).join('')}`;
}

function place({ path, commands, arguments: known, options }: Words): string {
  const here = `complete -c latchkey -n ${fishWord(`__latchkey_at ${fishWord(path)}`)}`;
  const lines = [
    ...commands.map(({ name, summary }) => `${here} -a ${name} -d ${fishWord(summary)}\n`),
    ...known.map((name) => `${here} -a ${name}\n`),
    ...options.map(({ long, short, value, summary, choices }) => {
      const brief = short === null ? '' : ` -s ${short.slice(1)}`;
      const what = { file: ' -r -F', directory: " -x -a '(__fish_complete_directories)'", text: ' -x', none: '' }[
        value ?? 'none'
      ];
      const known = choices.length === 0 ? '' : ` -a ${fishWord(choices.join(' '))}`;
      return `${here} -l ${long.slice(2)}${brief}${what}${known} -d ${fishWord(summary)}\n`;
    }),
  ];
  return lines.join('');
}

/** As a word between single quotes of fish: only these two have a meaning there. */
function fishWord(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
