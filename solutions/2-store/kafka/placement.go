package kafka

// A Placement says which streams share a partition: those that have one key. What is decided about them is decided by one owner
// then, and an id that is taken in one of them is taken in all, however many processes there are. The zero Placement gives each stream a
// key of its own, its name.
//
// Records keep the stream as their key, so who reads the topics notices nothing; only who computes a partition from a stream has to
// know.
type Placement struct {
	Name string // is written into a log that is created, which never takes another
	Key  func(stream string) string
}

// partition is where a stream lives.
func (s *Store) partition(stream string) int32 {
	if s.opts.Place.Key != nil {
		stream = s.opts.Place.Key(stream)
	}
	return partitionOf(stream, s.partitions)
}
