# The program in an image of its own. compose.yaml builds it for its profile monitoring.
#
#   docker build --tag blotter:development .
#   docker run --rm blotter:development --help
#
# The embedded stack needs programs that are not in this image: run it with STACK=external.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /blotter ./capstone/cmd/blotter

FROM alpine:3.22
RUN adduser -D -u 10001 blotter && install -d -o blotter -g blotter -m 700 /data
COPY --from=build /blotter /usr/local/bin/blotter
USER blotter
ENV STACK=external BLOTTER_DATA=/data
VOLUME /data
ENTRYPOINT ["blotter"]
CMD ["--help"]
