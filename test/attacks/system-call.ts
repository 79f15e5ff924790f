const LOADED_AT = 0x40_0000;
const HEADERS = 64 + 56;

/** A program of Linux on x86-64 that does one system call and ends with its error number, or with 0 where the kernel did it. */
export function systemCall(number: number, args: readonly number[]): Buffer {
  const code = Buffer.concat([
    Buffer.from([0xb8]), u32(number), // mov eax, number
    ...[[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8]].flatMap((move, i) => [Buffer.from(move), u64(args[i] ?? 0)]), // rdi, rsi, rdx, r10, r8
    Buffer.from([0x0f, 0x05]), // syscall
    Buffer.from([0x48, 0x85, 0xc0, 0x78, 0x04]), // test rax, rax; js to the negation
    Buffer.from([0x31, 0xff, 0xeb, 0x05]), // edi = 0; jump over it
    Buffer.from([0x48, 0xf7, 0xd8, 0x89, 0xc7]), // edi = -rax
    Buffer.from([0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05]), // exit(edi)
  ]);
  const size = HEADERS + code.length;
  return Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), Buffer.alloc(8), u16(2), u16(62), u32(1), u64(LOADED_AT + HEADERS), u64(64), u64(0), u32(0),
    u16(64), u16(56), u16(1), u16(0), u16(0), u16(0),
    u32(1), u32(5), u64(0), u64(LOADED_AT), u64(LOADED_AT), u64(size), u64(size), u64(0x1000),
    code,
  ]);
}

/** setuid(0): what a set-user-id program of root's can do, where it gets its owner's rights. */
export const BECOME_ROOT = [105, [0]] as const;
/** setuid and setgid of nobody: what root may where it has SETUID and SETGID. */
export const BECOME_NOBODY = [105, [65_534]] as const;
export const JOIN_GROUP = [106, [65_534]] as const;

/** What no job has any business to do: name -> number on x86-64 and arguments. Each would succeed, or fail otherwise, for root of a host. */
export const FORBIDDEN_CALLS: Readonly<Record<string, readonly [number, ...number[]]>> = {
  'ptrace-of-a-process-outside': [101, 16, 4242],
  'read-memory-of-a-process-outside': [310, 4242, 0, 0, 0, 0],
  'raw-socket-icmp': [41, 2, 3, 1],
  'packet-socket': [41, 17, 3, 0x300],
  mount: [165, 0, 0, 0, 0x1000],
  'unmount-root': [166, 0, 2],
  'pivot-root': [155, 0, 0],
  'new-user-namespace': [272, 0x1000_0000],
  'new-network-namespace': [272, 0x4000_0000],
  'join-a-namespace': [308, 0, 0],
  'file-by-handle': [304, -100, 0, 0],
  'set-host-name': [170, 0, 0],
  'kernel-log': [103, 10, 0, 0],
  'load-a-module': [175, 0, 0, 0],
  'load-a-module-from-a-file': [313, 0, 0, 0],
  'kernel-to-boot': [246, 0, 0, 0, 0],
  'ports-of-the-machine': [172, 3],
  swap: [167, 0, 0],
  accounting: [163, 0],
  'kernel-key': [250, 0, -3, 1],
  'perf-events': [298, 0, 0, -1, -1, 0],
  'kernel-program-bpf': [321, 0, 0, 0],
  'user-faults': [323, 0],
};

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}
