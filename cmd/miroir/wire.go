package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/config"
	miroirhttp "github.com/miroir-search/miroir/http"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/webhooks"
)

// miroir is a running proxy: store, cluster and server.
type miroir struct {
	log     *logrus.Logger
	store   store.Store
	hooks   *webhooks.Hooks
	cluster *actors.Cluster
	server  *miroirhttp.Server
}

// fleetOptions are what only embedded fleets set.
type fleetOptions struct {
	ephemeral bool
	switches  miroirhttp.NodeSwitch
}

// startMiroir opens the store, starts the cluster on it and listens. On an error
// nothing is left running.
func startMiroir(ctx context.Context, c *config.Config, log *logrus.Logger, o fleetOptions) (_ *miroir, err error) {
	tlsConfig, err := loadTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &miroir{log: log}
	defer func() {
		if err != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Limits.ShutdownTimeout)
			defer cancel()
			err = errors.Join(err, m.stop(stopping))
		}
	}()
	dir, dumps, snapshots := c.DataDir, cmp.Or(c.DumpDir, filepath.Join(c.DataDir, "dumps")), cmp.Or(c.SnapshotDir, filepath.Join(c.DataDir, "snapshots"))
	if o.ephemeral {
		dir, dumps, snapshots = "", c.DumpDir, c.SnapshotDir
	}
	if m.store, err = store.Open(ctx, store.Options{Dir: dir, Ephemeral: o.ephemeral, Logger: log, Registerer: reg}); err != nil {
		return nil, err
	}
	m.hooks, err = webhooks.Open(ctx, webhooks.Options{Store: m.store, Encode: miroirhttp.TaskJSON, URL: c.TaskWebhookURL,
		Authorization: c.TaskWebhookAuthorization, Logger: log, Registerer: reg})
	if err != nil {
		return nil, err
	}
	m.cluster, err = actors.Start(ctx, actors.Options{Nodes: c.Nodes, ReplicationFactor: c.ReplicationFactor, Shards: c.Shards,
		Store: m.hooks.Store(), NodeKey: c.NodeKey, Logger: log, Registerer: reg, UnavailableShards: c.UnavailableShards, MaxTasks: c.Limits.MaxTasks,
		ReadTimeout: c.Limits.ReadDeadline, WriteTimeout: c.Limits.WriteDeadline, LegTimeout: c.Limits.NodeReadTimeout, WriteCallTimeout: c.Limits.NodeWriteTimeout,
		JournalLimit:  int64(c.Limits.JournalSize),
		ProbeInterval: c.Limits.NodeProbeInterval, ProbeTimeout: c.Limits.NodeProbeTimeout, DumpDir: dumps, SnapshotDir: snapshots})
	if err != nil {
		return nil, err
	}
	keys, err := miroirhttp.OpenKeys(ctx, c.MasterKey, c.AdminKey, m.store)
	if err != nil {
		return nil, err
	}
	server := miroirhttp.New(m.serverOptions(c, keys, reg, tlsConfig, o))
	if err = server.Start(); err != nil {
		return nil, err
	}
	m.server = server
	return m, nil
}

func (m *miroir) serverOptions(c *config.Config, keys *miroirhttp.Keys, reg *prometheus.Registry, tlsConfig *tls.Config, o fleetOptions) miroirhttp.Options {
	l := c.Limits
	return miroirhttp.Options{
		Door: m.cluster, Webhooks: m.hooks, Addr: c.HTTPAddr, MetricsAddr: c.MetricsAddr, TLS: tlsConfig,
		Keys: keys, Nodes: o.switches,
		Logger: m.log, LogRequests: c.Log.Requests, Registry: reg,
		MaxBody: int64(l.PayloadSize), MaxBodies: int64(l.PayloadsInFlight), MaxConcurrent: l.MaxConcurrent, MaxQueries: l.MaxQueries, MaxConditions: l.MaxConditions, MaxWait: l.MaxWait,
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, WriteTimeout: l.WriteTimeout, IdleTimeout: l.IdleTimeout,
		MaxHeaderBytes: int(l.MaxHeader),
	}
}

// wait runs until ctx ends or a listener breaks, then stops everything within
// the time allowed.
func (m *miroir) wait(ctx context.Context, allowed time.Duration) error {
	var broken error
	select {
	case <-ctx.Done():
		m.log.Info("stopping: no new requests, running ones may end")
	case <-m.server.Failed():
		broken = m.server.Err()
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), allowed)
	defer cancel()
	if err := errors.Join(broken, m.stop(stopping)); err != nil {
		return err
	}
	m.log.Info("stopped")
	return nil
}

// stop ends what runs, from the outside to the inside.
func (m *miroir) stop(ctx context.Context) error {
	var problems []error
	if m.server != nil {
		problems = append(problems, m.server.Shutdown(ctx))
	}
	if m.cluster != nil {
		problems = append(problems, m.cluster.Stop(ctx))
	}
	if m.hooks != nil {
		m.hooks.Close(ctx)
	}
	if m.store != nil {
		problems = append(problems, m.store.Close())
	}
	return errors.Join(problems...)
}

// loadTLS reads certificates; nil means plain HTTP.
func loadTLS(t config.TLS) (*tls.Config, error) {
	if t.CertPath == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.CertPath, t.KeyPath)
	if err != nil {
		return nil, fmt.Errorf("load the TLS certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if t.AuthPath == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.AuthPath)
	if err != nil {
		return nil, fmt.Errorf("load the authorities of client certificates: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("load the authorities of client certificates: %s holds no certificate", t.AuthPath)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if t.RequireAuth {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
