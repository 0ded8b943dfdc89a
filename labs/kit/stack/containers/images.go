package containers

import "os"

// An image is one that can be pulled, and the variable that names another.
type image struct{ public, variable string }

var (
	kafkaImage    = image{"apache/kafka:4.1.1", "BLOTTER_KAFKA_IMAGE"}
	postgresImage = image{"postgres:17.6", "BLOTTER_POSTGRES_IMAGE"}
	minioImage    = image{"quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z", "BLOTTER_MINIO_IMAGE"}
)

func (i image) name() string {
	if own := os.Getenv(i.variable); own != "" {
		return own
	}
	return i.public
}
