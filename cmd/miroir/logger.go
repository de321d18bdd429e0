package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
)

// newLogger writes one JSON object a line. "off" writes nothing.
func newLogger(w io.Writer, level string) (*logrus.Logger, error) {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true})
	if level == "off" {
		log.SetOutput(io.Discard)
		log.SetLevel(logrus.PanicLevel)
		return log, nil
	}
	l, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	log.SetLevel(l)
	return log, nil
}
