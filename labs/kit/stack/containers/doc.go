// Package containers is the stack of the real parts: Apache Kafka (KRaft, one node), Postgres and MinIO in containers, and the
// in-process schema registry. It needs a container engine that speaks Docker's API.
//
//	s := containers.New(containers.Options{Dir: ".blotter/stack"})
//	defer s.Close()
//	seeds, err := s.Kafka(ctx)
//
// # Images
//
// The defaults are public images, pinned by tag, and fetched when they are missing. Each is replaced by naming another one:
//
//	BLOTTER_KAFKA_IMAGE     what takes the variables of apache/kafka
//	BLOTTER_POSTGRES_IMAGE  what takes the variables of postgres, with its data in /var/lib/postgresql/data
//	BLOTTER_MINIO_IMAGE     what runs "server /data"
//
// MinIO's server is no longer developed in the open, and its image left Docker Hub: the default is the last tag at quay.io. Where
// no image can be fetched, .ci/images/build makes all three from packages.
//
// # Life
//
// A container lives until Close. What it stored lies in named volumes, one set per directory (Options.Dir), and is there again for
// the next stack of that directory, unless Options.Temporary. A directory that is removed and made anew has a set of its own. Containers of a process that was killed stay behind: the next stack
// started with this engine, of whatever directory, removes those whose directory no process has locked, with their volumes if they
// were temporary. No other volume is ever removed: a directory that is not found may have been moved, or lie on a disk that is not
// mounted, and its volumes are a log. No helper container (testcontainers' Ryuk) watches over it.
//
// Every port is published on 127.0.0.1 alone, on a number that was free when it was chosen and stays the same when the container is
// stopped and started: an advertised broker must not move.
package containers
