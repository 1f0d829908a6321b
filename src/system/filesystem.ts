import { readFileSync, realpathSync } from 'node:fs';

/** `statfs` types of Linux (statfs(2), linux/magic.h) under which a lock of one host may mean nothing to another. */
const NETWORK: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'CIFS',
  4266872130: 'SMB2',
  1397113167: 'AFS',
  1799439955: 'AFS',
  1937076805: 'Coda',
  22092: 'NCP',
  12805120: 'Ceph',
  198183888: 'Lustre',
  1196443219: 'GPFS',
  18225520: 'GFS2',
  1952539503: 'OCFS2',
};

const FUSE = 0x65735546;
/** FUSE says by the mount what it is; those here lie on other machines. */
const NETWORK_FUSE = /^fuse\.(sshfs|glusterfs|rclone|s3fs|goofys|davfs2?|cephfs|nfs.*|smbnetfs|gcsfuse|mount-s3)$/;

/** The name of the network file system that `path` lies on; `null` for a local or unknown one. Knows Linux only. */
export function networkFileSystem(type: number, path: string, mounts = readMounts): string | null {
  if (process.platform !== 'linux') return null;
  // On 32 bits of magic a platform may have put a sign.
  const magic = type >>> 0;
  if (magic !== FUSE) return NETWORK[magic] ?? null;
  const kind = mountedAs(realpathSync(path), mounts());
  return kind !== null && NETWORK_FUSE.test(kind) ? kind : null;
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    // Without /proc nothing is known of FUSE mounts.
    return '';
  }
}

/** The type of the last mount that covers `path` (proc_pid_mountinfo(5)). */
function mountedAs(path: string, mounts: string): string | null {
  let best = { point: '', kind: null as string | null };
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = (before.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, code) =>
      String.fromCharCode(parseInt(code, 8)),
    );
    const covers = point !== '' && (path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`));
    if (covers && point.length >= best.point.length) best = { point, kind: after.split(' ')[0] ?? null };
  }
  return best.kind;
}
