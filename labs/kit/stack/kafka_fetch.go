package stack

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// boundByPartition has every fetch bounded by what it asks of each partition, and not by what it asks of all of them together. At that second
// limit this broker answers with the batches that it has by then, and leaves out which transactions among them were aborted, so that who
// reads what is committed is given what was not. A real broker says it with every answer.
func boundByPartition(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		r.(*kmsg.FetchRequest).MaxBytes = math.MaxInt32
		return nil, nil, false // it goes on to the broker
	})
}
