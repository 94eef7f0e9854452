package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const apiLimit = 10 * time.Second

// client asks the API server as the node's CNI user.
type client struct {
	address string
	http    *http.Client
}

// selection is one network that a pod asks for.
type selection struct {
	namespace, name, interfaceName string
}

func newClient(conf configuration) (*client, error) {
	authority, err := os.ReadFile(conf.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", conf.CA)
	}
	pair, err := tls.LoadX509KeyPair(conf.Cert, conf.Key)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	return &client{conf.API, &http.Client{Transport: transport, Timeout: apiLimit}}, nil
}

// networks reads the annotation of a pod: names by commas, `namespace/name@interface`, or a list of objects.
func (c *client) networks(namespace, name string) ([]selection, error) {
	var found struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := c.call(http.MethodGet, podPath(namespace, name), nil, &found); err != nil {
		return nil, err
	}
	return parse(found.Metadata.Annotations[networksAnnotation], namespace)
}

func parse(annotation, namespace string) ([]selection, error) {
	annotation = strings.TrimSpace(annotation)
	if strings.HasPrefix(annotation, "[") {
		var listed []struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
			Interface string `json:"interface"`
		}
		if err := json.Unmarshal([]byte(annotation), &listed); err != nil {
			return nil, fmt.Errorf("annotation %s: %w", networksAnnotation, err)
		}
		var wanted []selection
		for _, entry := range listed {
			if entry.Namespace == "" {
				entry.Namespace = namespace
			}
			wanted = append(wanted, selection{entry.Namespace, entry.Name, entry.Interface})
		}
		return wanted, nil
	}
	var wanted []selection
	for _, entry := range strings.Split(annotation, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		entry, interfaceName, _ := strings.Cut(entry, "@")
		space, name, qualified := strings.Cut(entry, "/")
		if !qualified {
			space, name = namespace, entry
		}
		wanted = append(wanted, selection{space, name, interfaceName})
	}
	return wanted, nil
}

// definition is the CNI configuration that a NetworkAttachmentDefinition holds.
func (c *client) definition(namespace, name string) (json.RawMessage, error) {
	var found struct {
		Spec struct {
			Config string `json:"config"`
		} `json:"spec"`
	}
	path := fmt.Sprintf("/apis/k8s.cni.cncf.io/v1/namespaces/%s/network-attachment-definitions/%s", namespace, name)
	if err := c.call(http.MethodGet, path, nil, &found); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(found.Spec.Config)) {
		return nil, fmt.Errorf("network %s/%s: its configuration is not JSON", namespace, name)
	}
	return json.RawMessage(found.Spec.Config), nil
}

func (c *client) annotate(namespace, name string, statuses []status) error {
	text, err := json.Marshal(statuses)
	if err != nil {
		return err
	}
	patch := map[string]any{"metadata": map[string]any{"annotations": map[string]string{statusAnnotation: string(text)}}}
	return c.call(http.MethodPatch, podPath(namespace, name), patch, nil)
}

func podPath(namespace, name string) string {
	return fmt.Sprintf("/api/v1/namespaces/%s/pods/%s", namespace, name)
}

func (c *client) call(method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, c.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/merge-patch+json")
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return errors.New(strings.TrimSpace(fmt.Sprintf("API server: %s %s: %s: %.200s", method, path, answer.Status, said)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(said, into)
}
