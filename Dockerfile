# The program in an image of its own, which has no shell and nothing else to run.
#
#   docker build --tag blotter .
#   docker run --rm blotter --help
#
# The stage development has a shell: compose.yaml builds it for its profile monitoring. The embedded
# stack needs programs that are in neither image: run them with STACK=external.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /blotter ./capstone/cmd/blotter
RUN install -d -m 1777 /image/tmp && install -d -o 10001 -g 10001 -m 700 /image/data && \
	install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM alpine:3.22 AS development
RUN adduser -D -u 10001 blotter && install -d -o blotter -g blotter -m 700 /data
COPY --from=build /blotter /usr/local/bin/blotter
USER blotter
ENV STACK=external BLOTTER_DATA=/data
VOLUME /data
ENTRYPOINT ["blotter"]
CMD ["--help"]

FROM scratch
COPY --from=build /image /
COPY --from=build /blotter /usr/local/bin/blotter
USER 10001:10001
ENV STACK=external BLOTTER_DATA=/data
VOLUME /data
ENTRYPOINT ["/usr/local/bin/blotter"]
CMD ["--help"]
