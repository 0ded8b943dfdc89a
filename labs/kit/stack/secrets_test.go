package stack_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// No component answers a client without its secret: every user of this machine can reach the
// ports. The same requests succeed with the secret.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	t.Run("kafka", func(t *testing.T) { t.Parallel(); strangerProduces(t) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); strangerConnects(t) })
	t.Run("s3", func(t *testing.T) { t.Parallel(); strangerPuts(t) })
	t.Run("registry", func(t *testing.T) { t.Parallel(); strangerDeletes(t) })
}

func strangerProduces(t *testing.T) {
	at, err := stacktest.Shared(t).Kafka(t.Context())
	require.NoError(t, err)
	produce := func(at stack.Kafka, topic string, more ...kgo.Opt) error {
		options, err := at.Options()
		require.NoError(t, err)
		options = append(options, kgo.DefaultProduceTopic(topic))
		client, err := kgo.NewClient(append(options, more...)...)
		require.NoError(t, err)
		defer client.Close()
		return client.ProduceSync(t.Context(), kgo.StringRecord("forged")).FirstErr()
	}
	topic := stacktest.Prefix(t) + "events"
	client, err := kgo.NewClient(stacktest.Kafka(t)...)
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, topic)
	require.NoError(t, err)

	unknown, wrong := at, at
	once := []kgo.Opt{kgo.RequestRetries(0), kgo.RecordRetries(0), kgo.DisableIdempotentWrite()}
	unknown.Mechanism = ""
	require.Error(t, produce(unknown, topic, once...), "without signing in")
	wrong.Password = "a guess"
	require.Error(t, produce(wrong, topic, once...), "with a wrong password")
	require.NoError(t, produce(at, topic))
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	require.EqualValues(t, 1, end.Offset, "a refused record is in the topic")
}

func strangerConnects(t *testing.T) {
	at, err := stacktest.Shared(t).Postgres(t.Context())
	require.NoError(t, err)
	dsn := at.MigrationDSN
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	for _, password := range []string{"", "a guess"} {
		config.Password = password
		_, err = pgx.ConnectConfig(t.Context(), config)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, password)
		require.Equal(t, "28P01", refused.Code, "invalid_password")
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var trusted int
	const rules = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"
	require.NoError(t, conn.QueryRow(t.Context(), rules).Scan(&trusted))
	if !stacktest.Can().SignInLocally {
		require.Zero(t, trusted, "rules of pg_hba.conf without a password")
	}
}

func strangerPuts(t *testing.T) {
	at, err := stacktest.Shared(t).S3(t.Context())
	require.NoError(t, err)
	bucket := stacktest.Bucket(t)
	put := func(at stack.S3) error {
		client, err := at.Client()
		require.NoError(t, err)
		_, err = client.PutObject(t.Context(), bucket, "name", strings.NewReader("x"), 1,
			minio.PutObjectOptions{})
		return err
	}
	client, err := at.Client()
	require.NoError(t, err)
	require.NoError(t, client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	for _, keys := range [][2]string{{at.AccessKey, "a guess"}, {"stranger", at.SecretKey}} {
		stranger := at
		stranger.AccessKey, stranger.SecretKey = keys[0], keys[1]
		codes := []string{"SignatureDoesNotMatch", "InvalidAccessKeyId", "XAdminUserNotFound"}
		require.Contains(t, codes, minio.ToErrorResponse(put(stranger)).Code)
	}
	_, err = client.StatObject(t.Context(), bucket, "name", minio.StatObjectOptions{})
	require.Equal(t, minio.NoSuchKey, minio.ToErrorResponse(err).Code)
	require.NoError(t, put(at))
}

func strangerDeletes(t *testing.T) {
	at, err := stacktest.Shared(t).Registry(t.Context())
	require.NoError(t, err)
	remove := func(at stack.Registry, subject string) error {
		options, err := at.Options()
		require.NoError(t, err)
		client, err := sr.NewClient(options...)
		require.NoError(t, err)
		_, err = client.DeleteSubject(t.Context(), subject, sr.SoftDelete)
		return err
	}
	subject := stacktest.Prefix(t) + "subject"
	client, err := sr.NewClient(stacktest.Registry(t)...)
	require.NoError(t, err)
	_, err = client.CreateSchema(t.Context(), subject, record(fieldA))
	require.NoError(t, err)
	for _, stranger := range []stack.Registry{
		{URL: at.URL}, {URL: at.URL, User: at.User, Password: "a guess"},
		{URL: at.URL, User: "stranger", Password: at.Password}, {URL: at.URL, Token: at.Password},
	} {
		err := remove(stranger, subject)
		var refused *sr.ResponseError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 401, refused.StatusCode)
	}
	require.NoError(t, remove(at, subject))
}

// A secret outlives the process that made it up: a broker that starts again knows its user, though
// it keeps users in a file of its own.
func TestSecretsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	var first stack.Kafka
	for range 3 {
		s := embedded(dir)
		at, err := s.Kafka(t.Context())
		require.NoError(t, err)
		if first.Password == "" {
			first = at
		}
		require.Equal(t, first.Password, at.Password)
		require.Equal(t, "SCRAM-SHA-256", at.Mechanism)
		options, err := at.Options()
		require.NoError(t, err)
		client, err := kgo.NewClient(options...)
		require.NoError(t, err)
		require.NoError(t, client.Ping(t.Context()))
		client.Close()
		require.NoError(t, s.Close())
	}
}

// The application's role of Postgres owns nothing, and can become no other role.
func TestApplicationRoleIsPowerless(t *testing.T) {
	t.Parallel()
	at, err := stacktest.Shared(t).Postgres(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), at.DSN)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	owner, err := pgx.ParseConfig(at.MigrationDSN)
	require.NoError(t, err)
	for _, statement := range []string{
		"SET ROLE " + owner.User, "SET SESSION AUTHORIZATION " + owner.User,
		"CREATE SCHEMA mine", "CREATE TABLE public.mine (n int)", "CREATE ROLE mine",
		"ALTER ROLE application SUPERUSER", "CREATE DATABASE mine",
		"SET session_replication_role = replica",
	} {
		_, err := conn.Exec(t.Context(), statement)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, statement)
		require.Equal(t, "42501", refused.Code, "%s: %s", statement, refused.Message)
	}
	_, err = conn.Exec(t.Context(), "RESET ROLE; RESET SESSION AUTHORIZATION")
	require.NoError(t, err)
	var user string
	var owned int
	const query = "SELECT current_user, " +
		"(SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole)"
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&user, &owned))
	require.NotEqual(t, owner.User, user)
	require.Zero(t, owned)
}

// A PUT does not spoil the next request on its connection, even if the object is empty.
func TestPutLeavesNoBody(t *testing.T) {
	t.Parallel()
	at, err := stacktest.Shared(t).S3(t.Context())
	require.NoError(t, err)
	client, err := at.Client()
	require.NoError(t, err)
	bucket := stacktest.Bucket(t)
	require.NoError(t, client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	absent := minio.PutObjectOptions{DisableMultipart: true}
	absent.SetMatchETagExcept("*")
	for range 300 {
		for _, text := range []string{"", "some"} {
			body := strings.NewReader(text)
			_, err := client.PutObject(t.Context(), bucket, "of"+text, body, body.Size(), absent)
			if err != nil {
				require.Equal(t, minio.PreconditionFailed, minio.ToErrorResponse(err).Code)
			}
			_, err = client.StatObject(t.Context(), bucket, "of"+text, minio.StatObjectOptions{})
			require.NoError(t, err)
		}
	}
}
