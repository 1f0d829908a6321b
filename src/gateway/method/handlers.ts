import type { Handlers } from '../../core/protocol/registry.ts';
import * as agent from './agent.ts';
import * as agents from './agents.ts';
import * as channel from './channel.ts';
import * as chat from './chat.ts';
import * as code from './code.ts';
import * as commands from './commands.ts';
import * as config from './config.ts';
import * as device from './device.ts';
import { explain } from './explain.ts';
import * as exported from './export.ts';
import * as gateway from './gateway.ts';
import type { Context } from './handler.ts';
import * as heartbeat from './heartbeat.ts';
import * as logs from './logs.ts';
import * as models from './models.ts';
import * as sessions from './sessions.ts';
import { create } from './sessions-create.ts';
import * as usage from './usage.ts';

/** Each row of the registry and its handler: one missing or too many does not compile. */
export const HANDLERS: Handlers<Context> = {
  health: gateway.health,
  status: gateway.status,
  'system-presence': gateway.systemPresence,
  'last-heartbeat': heartbeat.last,
  'channels.status': channel.status,
  'config.get': config.get,
  'config.set': config.set,
  'config.patch': config.patch,
  'config.schema': config.schema,
  'config.schema.lookup': config.lookup,
  'gateway.secret.rotate': gateway.secretRotate,
  'device.pair.list': device.list,
  'device.pair.approve': device.approve,
  'device.pair.reject': device.reject,
  'device.pair.remove': device.remove,
  'device.pair.remove (self)': device.remove,
  'device.pair.rename': device.rename,
  'device.pair.ensure': device.ensure,
  'device.code.create': code.makeCode,
  'device.pair.setupCode': code.setupCode,
  'device.grant.narrow': device.narrow,
  'device.grant.narrow (self)': device.narrow,
  'device.token.rotate': device.rotate,
  'device.token.rotate (self)': device.rotate,
  'device.token.revoke': device.revoke,
  'device.token.revoke (self)': device.revoke,
  'device.scopes.requestUpgrade': device.requestUpgrade,
  'device.scopes.waitUpgrade': device.waitUpgrade,
  'decision.explain': explain,
  'logs.tail': logs.tail,
  'models.list': models.list,
  'models.status': models.status,
  'models.probe': models.probe,
  'agents.list': agents.list,
  'agents.create': agents.create,
  'agents.update': agents.update,
  'agents.delete': agents.remove,
  'agent.identity.get': agent.identity,
  agent: agent.agent,
  'agent (model)': agent.agent,
  'agent.wait': agent.wait,
  'chat.history': chat.history,
  'chat.send': chat.send,
  'chat.abort': chat.abort,
  'chat.inject': chat.inject,
  'commands.list': commands.list,
  'sessions.list': sessions.list,
  'sessions.subscribe': sessions.subscribe,
  'sessions.get': sessions.get,
  'sessions.describe': sessions.describe,
  'sessions.preview': sessions.preview,
  'sessions.resolve': sessions.resolve,
  'sessions.create': create,
  'sessions.create (model)': create,
  'sessions.patch': sessions.patch,
  'sessions.patch (model)': sessions.patch,
  'sessions.reset': sessions.reset,
  'sessions.delete': sessions.remove,
  'sessions.compact': sessions.compact,
  'sessions.usage': sessions.usage,
  'sessions.rows': exported.rows,
  'sessions.attachment': exported.attachment,
  'usage.status': usage.status,
  'usage.cost': usage.cost,
};
