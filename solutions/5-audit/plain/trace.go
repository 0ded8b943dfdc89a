package audit

import (
	"context"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Trace returns the events of a contract in version order, each with its proof under the last
// checkpoint, and this checkpoint (L5.I10).
func (a *Auditor) Trace(ctx context.Context, uti string) (
	rows []contract.TraceRow, under contract.Checkpoint, err error) {
	v, err := a.Verify(ctx)
	if err == nil && v.Fault != nil {
		err = v.Fault
	}
	if err != nil {
		return nil, v.Checkpoint, err
	}
	batches, _, err := a.archived(ctx)
	if err != nil {
		return nil, v.Checkpoint, err
	}
	var leaves [][]byte
	indexes := map[contract.Position]int64{}
	for _, b := range batches[:v.Batches] {
		for i, e := range b.Events {
			indexes[e.Position] = b.First + int64(i)
		}
		leaves = append(leaves, b.Leaves()...)
	}
	end, err := a.Log.End(ctx)
	if err != nil {
		return nil, v.Checkpoint, err
	}
	events, err := a.read(ctx, nil, end)
	for _, r := range events {
		if r.Stream != trade.TradeStream(uti) {
			continue
		}
		row := contract.TraceRow{Recorded: r, Index: -1}
		if i, sealed := indexes[r.Position]; sealed {
			row.Index, row.Proof = i, Prove(leaves, i)
		}
		rows = append(rows, row)
	}
	return rows, v.Checkpoint, err
}
