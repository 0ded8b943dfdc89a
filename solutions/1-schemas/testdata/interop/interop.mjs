// Reads one JSON object from standard input, with data in hexadecimal:
//   {"records": [{"schema", "data"}], "make": [{"schema", "id", "value"}]}
// Writes one JSON object to standard output:
//   {"records": [{"id", "value", "again"}], "made": ["…"]}
// avsc reads every record and writes it again, and it writes every value of "make". The prefix of
// an Avro body is a zero byte and the id in four bytes big-endian.
import avro from 'avsc';

// Decimal holds an exact number as text, because avsc has no decimals.
class Decimal extends avro.types.LogicalType {
  constructor(schema, options) {
    super(schema, options);
    this.scale = schema.scale ?? 0;
  }
  _fromValue(bytes) {
    let n = BigInt.asIntN(8 * bytes.length, BigInt('0x' + (bytes.toString('hex') || '0')));
    const sign = n < 0n ? '-' : '';
    const digits = (n < 0n ? -n : n).toString().padStart(this.scale + 1, '0');
    const whole = digits.slice(0, digits.length - this.scale);
    return sign + whole + (this.scale ? '.' + digits.slice(-this.scale) : '');
  }
  _toValue(text) {
    if (typeof text !== 'string') return undefined; // another type: the union tries its next branch
    const [whole, part = ''] = text.split('.');
    const digits = BigInt(whole.replace('-', '') + part.padEnd(this.scale, '0'));
    const n = whole.startsWith('-') ? -digits : digits;
    let size = 1;
    while (BigInt.asIntN(8 * size, n) !== n) size++;
    return Buffer.from(BigInt.asUintN(8 * size, n).toString(16).padStart(2 * size, '0'), 'hex');
  }
  _resolve() {
    return undefined;
  }
}

// long reads a long as a BigInt, because a number of JavaScript has only 53 bits.
const long = avro.types.LongType.__with({
  fromBuffer: (bytes) => bytes.readBigInt64LE(),
  toBuffer: (n) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(n);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (n) => typeof n === 'bigint',
  compare: (a, b) => (a === b ? 0 : a < b ? -1 : 1),
});

const options = { logicalTypes: { decimal: Decimal }, wrapUnions: true };
const parse = (text) => avro.Type.forSchema(JSON.parse(text), { ...options, registry: { long } });

function read({ schema, data }) {
  const bytes = Buffer.from(data, 'hex');
  if (bytes[0] !== 0) throw new Error('no zero byte: ' + data);
  const type = parse(schema);
  const value = type.fromBuffer(bytes.subarray(5)); // throws for truncated and for trailing data
  const id = bytes.readUInt32BE(1);
  return { id, value, again: wire(id, type.toBuffer(value)) };
}

function wire(id, body) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(id, 1);
  return Buffer.concat([prefix, body]).toString('hex');
}

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { records, make } = JSON.parse(input);
const answer = {
  records: records.map(read),
  made: make.map(({ schema, id, value }) => wire(id, parse(schema).toBuffer(value))),
};
process.stdout.write(JSON.stringify(answer, (_, v) => (typeof v === 'bigint' ? v.toString() : v)));
