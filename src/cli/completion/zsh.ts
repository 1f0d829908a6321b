import { chosen, quoted, valued, type Words } from './words.ts';

/** For zsh: as a file `_latchkey` in a folder of `fpath`, or read in by `source`. */
export function zshScript(places: readonly Words[]): string {
  const deep = places.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  const options = valued(places);
  const names = (kind?: string) =>
    options
      .filter(({ value }) => kind === undefined || value === kind)
      .flatMap(({ long, short }) => (short === null ? [long] : [long, short]))
      .join('|');
  return `#compdef latchkey
# zsh completion of latchkey. Once: source <(latchkey completion zsh)
_latchkey() {
  local word where='' value='' next
  local -a commands options
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if [[ -n $value ]]; then value=''; continue; fi
    next="\${where:+$where }$word"
    case $word in
      (${names()}) value=$word ;;
      (-*) ;;
      (*)
        case $next in
          (${deep.join('|')}) where=$next ;;
        esac ;;
    esac
  done
  case $value in
    ('') ;;
    (${names('file')}) _files; return ;;
    (${names('directory')}) _files -/; return ;;
${known(places)}    (*) _message 'value'; return ;;
  esac
  case $where in
${places.map(place).join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o option options
  else
    _describe command commands
  fi
}
if [[ \${funcstack[1]} == _latchkey ]]; then
  _latchkey "$@"
else
  compdef _latchkey latchkey
fi
`;
}

/** `_values` would take a comma for the next one. */
function known(places: readonly Words[]): string {
  return chosen(places)
    .map(({ long, choices }) => `    (${long}) compadd -- ${choices.join(' ')}; return ;;\n`)
    .join('');
}

function place({ path, commands, arguments: known, options }: Words): string {
  const words = [...commands.map(({ name, summary }) => described(name, summary)), ...known.map(quoted)];
  const flags = options.flatMap(({ long, short, summary }) =>
    (short === null ? [long] : [long, short]).map((name) => described(name, summary)),
  );
  return `    (${quoted(path)})
      commands=(${words.join(' ')})
      options=(${flags.join(' ')}) ;;`;
}

/** `name:what it is`; a colon of its own is written with a backslash. */
function described(name: string, summary: string): string {
  return quoted(`${name}:${summary.replace(/[\\:]/g, '\\$&')}`);
}
