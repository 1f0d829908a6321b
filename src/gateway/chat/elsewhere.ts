/**
 * Commands that OpenClaw's gateways answer (2026.2.19 to 2026.9.6, without skills) and this one has not: whoever says one
 * means the gateway, not the agent.
 */
export const NOT_HERE: ReadonlySet<string> = new Set(
  `acp activation agents allowlist approve bash btw commands config context dashboard debug diagnostics dreaming
  elev elevated exec export export-session export-trajectory fast focus goal id kill learn login loop mcp models
  name openclaw pair plugins reason reasoning restart send session side skill steer subagents tasks tell tools
  trace trajectory tts unfocus update v verbose voice whoami`.split(/\s+/),
);
