const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--paper:#fff;--well:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--well:#151b23}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:40rem;margin:12vh auto 4rem;padding:0 1.25rem}
h1{font-size:1.6rem;margin:0 0 .25rem}p{margin:.75rem 0}.soft{color:var(--soft)}
h2{font-size:1rem;margin:2rem 0 .5rem}
pre{margin:.5rem 0;padding:.75rem 1rem;overflow-x:auto;background:var(--well);border:1px solid var(--line);border-radius:.5rem}
code,pre{font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}`;

/**
 * What a browser sees at `/`: what this is and how to connect. One document without script, the same for everybody:
 * it says nothing of version, paths or configuration (threat: the unauthenticated surface is a closed list).
 */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Latchkey</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Latchkey</h1>
<p class="soft">A gateway for personal AI agents. It is running, and this page holds nothing else.</p>
<h2>On this machine</h2>
<p>Commands need no token and no pairing here:</p>
<pre>latchkey status
latchkey devices list</pre>
<h2>From another device</h2>
<p>Clients of the OpenClaw gateway protocol (versions 3 and 4) connect to this address over WebSocket. A device that is new here asks first; approve it on this machine, after comparing the code that both show:</p>
<pre>latchkey devices list
latchkey devices approve ID</pre>
<h2>If something is refused</h2>
<pre>latchkey why --last
latchkey gateway probe</pre>
</main>
</body>
</html>
`;

/** The page's one style block is allowed by its hash; everything else a browser could load or run is not. */
export function pagePolicy(): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hash = createHash('sha256').update(STYLE).digest('base64');
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
