package containers

import (
	"context"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"example.com/blotter/labs/kit/stack"
)

func objects(secret string) plan {
	return plan{
		image: minioImage, port: "9000", data: "/data", ping: pingObjects, secret: secret,
		cmd: []string{"server", "/data"},
		env: func(string) map[string]string {
			return map[string]string{
				"MINIO_ROOT_USER": account, "MINIO_ROOT_PASSWORD": secret,
				"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", // it asks nobody for news
			}
		},
	}
}

func (p *part) s3() stack.S3 {
	return stack.S3{Endpoint: p.address(), Region: "us-east-1", AccessKey: account, SecretKey: p.secret}
}

func pingObjects(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	at := p.s3()
	c, err := minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, MaxRetries: 1,
	})
	if err != nil {
		return err
	}
	_, err = c.ListBuckets(ctx)
	return err
}
