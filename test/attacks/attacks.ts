import { getSystemErrorMap } from 'node:util';
import { expect } from 'chai';
import type { Attacker, AttackSite, Story } from './attack-site.ts';

const MEBIBYTE = 2 ** 20;

/** One thing that a hostile job tries. */
export interface Attack {
  readonly name: string;
  readonly as: readonly Attacker[];
  readonly script: (site: AttackSite) => string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** What it met, for the report. Throws where it was not contained. */
  readonly met: (story: Story) => string;
}

/** `try NAME words...`: says GOT where the words did what they say, and MET with the last words of their complaint where not. */
const TRY = 'try() { n=$1; shift; if o=$("$@" 2>&1); then echo "GOT $n"; else echo "MET $n: $(echo "$o" | tail -n 1)"; fi; }\n';

const BOTH = ['nobody', 'root'] as const;
const ALL = [...BOTH, 'relaxed'] as const;
const PLACES = '/ /etc /bin /sys /sys/fs/cgroup /proc /proc/sys/kernel /sbin /usr';

/** What DAC_OVERRIDE, FOWNER, SETUID, SETGID, MKNOD, SYS_CHROOT, NET_RAW and SYS_ADMIN would give; `/owned` becomes somebody else's, by CHOWN. */
const BEYOND = "echo x > /foreign; chmod 600 /foreign; chown 1:1 /foreign; : > /owned; try read-foreign cat /foreign; try chmod-foreign chmod 777 /foreign; try user /bin/become-nobody; try group /bin/join-group; try su su -s /bin/sh nobody -c true; try device mknod /null c 1 3; try chroot chroot / true; try ping ping -c 1 -w 1 127.0.0.1; try host-name hostname mine";

function tries(name: string, script: string, as: readonly Attacker[] = BOTH): Attack {
  return { name, as, script: () => `${TRY}${script}\necho END`, met: refused };
}

/** Every attack of the collection. A new one is a new line here; it is then tested, and in the report. */
export const ATTACKS: readonly Attack[] = [
  tries('write outside of the folders that are given', `for d in ${PLACES}; do try $d sh -c "echo x > $d/mine"; done; try passwd sh -c 'echo x >> /etc/passwd'; try own-loader sh -c 'echo x > /proc/1/exe'`),
  tries("the kernel's switches", "for f in /proc/sys/kernel/domainname /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches /proc/sys/net/ipv4/ip_forward /sys/kernel/uevent_helper /sys/fs/cgroup/memory/release_agent; do try $f sh -c \"echo x > $f\"; done", ALL),
  tries('devices: make, and open those of the host', "try make-null mknod /work/null c 1 3; try make-disk mknod /work/disk b 254 0; for d in mem kmsg sda vda nvme0n1 fuse kvm net/tun loop-control; do try $d dd if=/dev/$d of=/dev/null bs=1 count=1; done", ALL),
  tries('mounts and namespaces', "try remount mount -o remount,rw /; try tmpfs mount -t tmpfs none /tmp; try proc mount -t proc none /work; try bind mount -o bind / /work; try umount umount /proc/sys; try user unshare -U true; try mount unshare -m true; try net unshare -n true; try chroot chroot /work true; try enter nsenter -t 1 -m true", ALL),
  { name: 'system calls for tracing, raw sockets, modules, keys and the like', as: ALL, script: () => 'for p in /calls/*; do $p; c=$?; if [ $c = 0 ]; then echo "GOT ${p##*/}"; else echo "MET ${p##*/}: errno $c"; fi; done; echo END', met: refused },
  tries('memory of the kernel and of other processes', "try kernel sh -c '[ $(dd if=/proc/kcore bs=4 count=1 | wc -c) = 4 ]'; try root-of-1 sh -c 'ls /proc/1/root/var/lib/docker'; for p in /proc/[0-9]*; do case $(cat $p/comm) in docker-init|tini|sh|cat|busybox|tail) ;; *) echo \"GOT process $(cat $p/comm)\";; esac; done", ALL),
  { name: "networks: the host, the engine, the gateway, metadata, the world, names", as: BOTH, script: ({ targets }) => `${TRY}for t in ${targets.join(' ')}; do try $t nc -w 2 \${t%:*} \${t#*:}; done; try ping ping -c 1 -w 1 127.0.0.1; try name nslookup example.org; try link ip link add x type dummy; try address ip addr add 10.0.0.1/8 dev lo; echo "links $(ls /sys/class/net | tr '\\n' ' ')"; echo END`, met: (story) => { expect(story.stdout).to.match(/^links lo $/m); return refused(story); } },
  tries('the socket of the engine', 'for s in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock; do try $s ls $s; done'),
  { name: 'a set-user-id program of the image', as: ['nobody'], script: () => `${TRY}try su /bin/busybox-suid su -c id root; try become-root /bin/become-root; try secret cat /secret; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; echo END`, met: (story) => { expect(story.stdout).to.match(/CapEff:\s0{16}\nCapBnd:\s0{16}\nNoNewPrivs:\s1/); return refused(story); } },
  { name: 'a fork bomb', as: ['nobody'], parameters: { EXECUTIONDURATION: '3', CORES: '0.3' }, script: () => 'bomb() { bomb | bomb & }; bomb & exec sleep 1000', met: ({ job, stderr }) => { expect(stderr).to.include("can't fork"); return ended(job.phase, 'ABORTED', `"can't fork" at the limit of processes; ended at its time`); } },
  { name: 'memory of a process', as: ['nobody'], parameters: { MEMORY: '16M' }, script: () => 'exec dd if=/dev/zero of=/dev/null bs=200M', met: outOfMemory },
  { name: 'memory by files in /work', as: ['nobody'], parameters: { MEMORY: '8M' }, script: () => 'while :; do dd if=/dev/zero of=/work/x bs=64k count=1000 2>/dev/null; dd if=/dev/zero of=/tmp/y bs=64k 2>/dev/null; done', met: outOfMemory },
  { name: 'filling /work, /tmp, /dev/shm and a volume that the image declares', as: BOTH, script: () => 'for d in /work /tmp /dev/shm /data; do dd if=/dev/zero of=$d/x bs=64k 2>/dev/null; stat -c "%n %s" $d/x; rm $d/x; done; echo END', met: ({ stdout }) => {
    const sizes = Object.fromEntries(stdout.trim().split('\n').filter((line) => line.startsWith('/')).map((line) => line.split(' ') as [string, string]));
    expect(sizes).to.deep.equal({ '/work/x': String(8 * MEBIBYTE), '/tmp/x': String(2 * MEBIBYTE), '/dev/shm/x': String(MEBIBYTE), '/data/x': String(2 * MEBIBYTE) });
    return 'each is full at its size';
  } },
  // a hundred files: should nobody stop it, for the gateway of the tests was killed, the machine is not full
  { name: 'filling the disk through /output', as: ['nobody'], parameters: { EXECUTIONDURATION: '120' }, script: () => 'i=0; while [ $i -lt 100 ]; do dd if=/dev/zero of=/output/$i bs=1M count=16 2>/dev/null; i=$((i+1)); sleep 0.3; done', met: ({ job }) => { expect(job.errorSummary?.message).to.include('stopped: the job had more on disk'); return ended(job.phase, 'ERROR', job.errorSummary?.message ?? ''); } },
  { name: 'filling the disk through / where the rule lets it be written', as: ['relaxed'], parameters: { EXECUTIONDURATION: '120' }, script: () => 'i=0; while [ $i -lt 100 ]; do dd if=/dev/zero of=/fill-$i bs=1M count=16 2>/dev/null; i=$((i+1)); sleep 0.3; done', met: ({ job }) => { expect(job.errorSummary?.message).to.include('stopped: the job had more on disk'); return ended(job.phase, 'ERROR', job.errorSummary?.message ?? ''); } },
  { name: 'capabilities beyond the one that the rule gives', as: ['relaxed'], script: () => `${TRY}${BEYOND}; grep -E "^(Cap|NoNewPrivs)" /proc/self/status; if chown 1:1 /owned && [ "$(stat -c %u /owned)" = 1 ]; then echo GIVEN; fi; echo END`, met: (story) => {
    // CHOWN is capability 0
    expect(story.stdout).to.match(/CapInh:\s0{15}[01]\nCapPrm:\s0{15}1\nCapEff:\s0{15}1\nCapBnd:\s0{15}1\nCapAmb:\s0{16}\nNoNewPrivs:\s1/);
    expect(story.stdout, 'the one that is given').to.match(/^GIVEN$/m);
    return `the one that is given works; of the others: ${refused(story)}`;
  } },
  { name: 'one file without end in /output', as: ['nobody'], script: () => 'dd if=/dev/zero of=/output/full bs=1M', met: ({ job }) => { expect(job.errorSummary?.message).to.include('SIGXFSZ'); return ended(job.phase, 'ERROR', 'SIGXFSZ at the largest size of a file'); } },
  { name: 'sparse files', as: ['nobody'], script: () => 'truncate -s 1024G /output/holes && echo GOT; for i in 1 2 3; do truncate -s 16M /output/$i; done; echo END', met: ({ job, stdout, stderr }) => {
    expect(stdout).to.equal('END\n');
    expect(stderr).to.equal('File size limit exceeded\n');
    const size = job.results.reduce((sum, result) => sum + (result.size ?? 0), 0);
    expect(size).to.be.at.most(32 * MEBIBYTE);
    return `a terabyte of holes is over the largest size; ${String(size)} bytes of smaller ones are kept, the rest is told as left out`;
  } },
  { name: 'ten thousand output files', as: ['nobody'], script: () => 'cd /output; i=0; while [ $i -lt 10000 ]; do : > $i; i=$((i+1)); done', met: ({ job }) => {
    expect(job.phase).to.equal('COMPLETED');
    const files = job.results.filter(({ id }) => !['stdout', 'stderr'].includes(id)).length;
    expect(files).to.equal(100);
    expect(JSON.stringify(job.jobInfo)).to.include('more than 100 files');
    return `${String(files)} are kept; that others are not is told in ${String((job.jobInfo?.['warnings'] as unknown[] | undefined)?.length ?? 0)} lines`;
  } },
  { name: 'links, pipes, devices and names with newlines in /output', as: BOTH, script: () => `cd /output; ln -s /etc/shadow link; ln -s /proc/1/root dir; mkfifo pipe; mknod null c 1 3 2>/dev/null; echo x > good; ln good hard; echo x > "$(printf 'new\\nline')"; echo x > "$(printf 'bad\\377')"; echo x > "$(printf 'turn\\342\\200\\256ed')"; mkdir -p .uws; echo '<script>' > index.html; echo END`, met: ({ job }) => {
    const kept = job.results.map(({ id }) => id).filter((id) => !['stdout', 'stderr', 'index.html'].includes(id));
    expect(kept).to.have.length(1);
    expect(['good', 'hard']).to.include(kept[0]);
    return `only the regular file is kept; ${String((job.jobInfo?.['warnings'] as unknown[] | undefined)?.length ?? 0)} things are told as left out`;
  } },
  { name: 'a flood of the log', as: ['nobody'], script: () => 'i=0; while [ $i -lt 60000 ]; do echo "line $i 0123456789012345678901234567890123456789"; i=$((i+1)); done; echo END', met: ({ stdout }) => {
    expect(stdout.length).to.be.at.most(1.5 * MEBIBYTE);
    expect(stdout).to.match(/END\n$/);
    return `the newest ${String(stdout.length)} bytes are kept`;
  } },
  { name: 'forged log lines', as: ['nobody'], script: () => `printf '{"level":50,"msg":"forged"}\\n\\r\\033[2J{"level":50}\\n' >&2; echo END`, met: ({ job, stderr }) => { expect(stderr).to.include('forged'); return ended(job.phase, 'COMPLETED', 'they are in the stderr of the job and nowhere else'); } },
  { name: 'ignoring SIGTERM', as: BOTH, parameters: { EXECUTIONDURATION: '1' }, script: () => "trap '' TERM INT HUP; while :; do sleep 1; done", met: ({ job }) => { expect(job.jobInfo?.['exitCode'] ?? 137).to.equal(137); return ended(job.phase, 'ABORTED', 'SIGKILL after the grace'); } },
  { name: 'signals to everybody, and to the first process', as: BOTH, script: () => 'kill -STOP 1; kill -9 1; (kill -STOP -1; kill -9 -1) 2>/dev/null; echo END', met: ({ job }) => { expect(['COMPLETED', 'ERROR']).to.include(job.phase); return 'reaches processes of its own only'; } },
  { name: "the image's healthcheck and labels", as: ['nobody'], script: () => 'sleep 1; ls /output; echo END', met: ({ stdout }) => { expect(stdout).to.equal('END\n'); return 'the healthcheck does not run'; } },
];

/** Every try was met with a refusal, and the script came to its end. */
function refused({ job, stdout }: Story): string {
  expect(stdout.match(/^GOT .*$/gm), 'what it got').to.equal(null);
  expect(job.phase, job.errorSummary?.message).to.equal('COMPLETED');
  expect(stdout).to.match(/^END$/m);
  const count = new Map<string, number>();
  for (const [, words = ''] of stdout.matchAll(/^MET [^\n]*?: ([^\n]*)$/gm)) {
    const reason = plain(words);
    count.set(reason, (count.get(reason) ?? 0) + 1);
  }
  expect(count.size, 'refusals').to.be.at.least(1);
  return [...count].sort(([, a], [, b]) => b - a).map(([reason, n]) => (n === 1 ? reason : `${reason} (${String(n)})`)).join(', ');
}

/** A tool's complaint without the tool and what it was about. */
function plain(words: string): string {
  const [, number] = /^errno (\d+)$/.exec(words) ?? [];
  if (number !== undefined) return getSystemErrorMap().get(-Number(number))?.[0] ?? words;
  return words.replace(/^.*: /, '').replace(/^[\s'"]+|[\s'"]+$/g, '').toLowerCase() || 'failed';
}

function outOfMemory({ job }: Story): string {
  expect(job.errorSummary?.message).to.match(/^out of memory/);
  return job.errorSummary?.message ?? '';
}

function ended(phase: string, expected: string, met: string): string {
  expect(phase).to.equal(expected);
  return met;
}
