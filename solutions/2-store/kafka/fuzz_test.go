package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// indexed is an event with every attribute.
func indexed() contract.Recorded {
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	return contract.Recorded{
		Event: contract.Event{
			ID: uuid.UUID{1}, Stream: "trade/T", Type: "trade.new", Schema: 1, EffectiveAt: at,
			EnteredAt: at, SourceRecordedAt: at, CommandID: "c-1", Corrects: uuid.UUID{2},
			Actor: "trader/1", Approver: "head/1", Reason: "client order", Source: "book.jsonl",
			SourceLine: 7, SubmittedBy: "desk/1", Correlation: uuid.UUID{3},
			Causation: uuid.UUID{4}, Ends: true, Data: []byte{0, 0, 0, 0, 1, 2, 3},
		},
		Version: 1, RecordedAt: at,
	}
}

// Bytes from an index file are refused, or they are an event that is written again and read back.
func FuzzParseEvent(f *testing.F) {
	f.Add(indexCodec{}.AppendEvent(nil, indexed()))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := indexCodec{}.ParseEvent(data, contract.Position{})
		if err != nil {
			return
		}
		again, err := indexCodec{}.ParseEvent(
			indexCodec{}.AppendEvent(nil, e), contract.Position{})
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}

// An index file that was changed, with the checksums mended, is unusable, or it answers
// with an event. It never ends the program.
func FuzzIndexFile(f *testing.F) {
	made := f.TempDir()
	open := func(t testing.TB, dir string) *index.Partition {
		ix := index.New(1, func(p int32) index.Options {
			return index.Options{
				Dir: dir, Prefix: "log", Partition: p, Log: "log", Unwritten: 1,
				Codec: indexCodec{},
			}
		})
		why, err := ix.Partitions[0].Load()
		require.NoError(t, err)
		if why != nil {
			require.ErrorIs(t, why, index.ErrUnusable)
		}
		return ix.Partitions[0]
	}
	p := open(f, made)
	require.NoError(f, p.Apply([]contract.Recorded{indexed()}))
	require.NoError(f, p.Close())
	const name = "log.0.index"
	whole, err := os.ReadFile(filepath.Join(made, name))
	require.NoError(f, err)

	f.Add(uint16(4), []byte{0, 0, 0, 1})
	f.Add(uint16(len(whole)-3), []byte{9, 9, 9})
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		dir, data := t.TempDir(), append([]byte(nil), whole...)
		copy(data[min(int(at), len(data)):], patch)
		frame := data[binary.BigEndian.Uint32(whole[4:]):] // after the header
		sum := crc32.Checksum(frame[4:], crc32.MakeTable(crc32.Castagnoli))
		binary.BigEndian.PutUint32(frame, sum)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		p := open(t, dir)
		p.Serve()
		_, _, err := p.Find(indexed().ID)
		requireUsable(t, err)
		_, err = p.Stream(indexed().Stream, 1)
		requireUsable(t, err)
		require.NoError(t, p.Close())
	})
}

func requireUsable(t *testing.T, err error) {
	if err != nil {
		require.ErrorIs(t, err, index.ErrUnusable)
	}
}
