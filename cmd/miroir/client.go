package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/config"
)

// remote is a running proxy as `status` and `tasks` reach it.
type remote struct {
	url, key string
	asJSON   bool
}

// remoteFlags declares how to reach the proxy. The admin key is enough; the
// master key does as well.
func (r *remote) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&r.url, "url", "http://127.0.0.1:7700", "where the proxy listens")
	fs.StringVar(&r.key, "admin-key", "", "admin or master key; also from MIROIR_ADMIN_KEY, MIROIR_MASTER_KEY or their _FILE variants")
	fs.BoolVar(&r.asJSON, "json", false, "print JSON as the proxy answers it")
}

// prepare fills in the environment.
func (p *program) prepare(cmd *cobra.Command, r *remote) error {
	given := r.key
	if err := p.environment(cmd.Flags()); err != nil {
		return err
	}
	r.url = strings.TrimSuffix(r.url, "/")
	if !strings.HasPrefix(r.url, "http://") && !strings.HasPrefix(r.url, "https://") {
		return usageError{fmt.Errorf("--url: %q must be a URL such as http://127.0.0.1:7700", r.url)}
	}
	if given != "" {
		return nil
	}
	for _, name := range []string{"MIROIR_ADMIN_KEY", "MIROIR_MASTER_KEY"} {
		key, err := config.Secret(name, p.getenv)
		if err != nil {
			return usageError{err}
		}
		if key != "" {
			r.key = key
			return nil
		}
	}
	return nil
}

const remoteTimeout = 15 * time.Second

// get asks the proxy for what it knows.
func (r *remote) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	return r.send(ctx, http.MethodGet, path, nil)
}

// send makes a request with a JSON body, when there is one, and returns the
// answer.
func (r *remote) send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, usageError{fmt.Errorf("--url: %w", err)}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the proxy (is it running? --url says where): %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the answer of the proxy: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return answer, nil
	}
	var e api.Error
	if json.Unmarshal(answer, &e) == nil && e.Code != "" {
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
			return nil, fmt.Errorf("the proxy answered %d %s: %s Set MIROIR_ADMIN_KEY or MIROIR_MASTER_KEY", resp.StatusCode, e.Code, e.Message)
		}
		return nil, fmt.Errorf("the proxy answered %d %s: %s", resp.StatusCode, e.Code, e.Message)
	}
	return nil, fmt.Errorf("%s%s answered %d; is a Miroir proxy there?", r.url, path, resp.StatusCode)
}

// decode reads an answer.
func decode[T any](body []byte) (T, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("read the answer of the proxy: %w", err)
	}
	return v, nil
}
