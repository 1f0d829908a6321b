import { chosen, type OptionWord, quoted, valued, type Words } from './words.ts';

/** For bash 3.2 and later. It asks nobody: what can be typed stands in it. */
export function bashScript(places: readonly Words[]): string {
  const deep = places.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `# bash completion of latchkey. Once: source <(latchkey completion bash)
_latchkey() {
  local word where='' value='' i cur=\${COMP_WORDS[COMP_CWORD]}
  local IFS=$' \\t\\n'
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # bash makes three words of --name=value.
    if [[ -n $value ]]; then [[ $word == '=' ]] || value=''; continue; fi
    case $word in
      ${alternatives(valued(places))}) value=$word ;;
      -* | '=') ;;
      *)
        case "\${where:+$where }$word" in
          ${deep.join(' | ')}) where="\${where:+$where }$word" ;;
        esac ;;
    esac
  done
  [[ $cur == '=' ]] && cur=''
  case $value in
    '') ;;
${values(places)}
    *) COMPREPLY=(); return ;;
  esac
  local words='' options=''
  case $where in
${places.map(place).join('\n')}
  esac
  [[ $cur == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _latchkey latchkey
`;
}

function alternatives(options: readonly OptionWord[]): string {
  return options.flatMap(({ long, short }) => (short === null ? [long] : [long, short])).join(' | ');
}

/** Names of files may have blanks in them: they are told apart by lines. */
function values(places: readonly Words[]): string {
  const kinds = [
    ['file', 'f'],
    ['directory', 'd'],
  ] as const;
  const known = chosen(places).map(
    (option) =>
      `    ${alternatives([option])}) COMPREPLY=($(compgen -W ${quoted(option.choices.join(' '))} -- "$cur")); return ;;\n`,
  );
  return (
    known.join('') +
    kinds
      .map(([kind, flag]) => {
        const options = valued(places).filter(({ value }) => value === kind);
        return `    ${alternatives(options)}) IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -${flag} -- "$cur")); return ;;`;
      })
      .join('\n')
  );
}

function place({ path, commands, arguments: known, options }: Words): string {
  const words = [...commands.map(({ name }) => name), ...known].join(' ');
  const flags = options.flatMap(({ long, short }) => (short === null ? [long] : [long, short])).join(' ');
  return `    ${quoted(path)}) words=${quoted(words)} options=${quoted(flags)} ;;`;
}
