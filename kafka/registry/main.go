// A schema registry for tests: the one that franz-go's authors test their client with, as a process.
// Apicurio's converter finds in it the requests that it makes (apicurio.go).
//
// It keeps what is registered in a file, since one that is killed comes back with its schemas.
//
//	registry ADDRESS FILE [AUTHORIZATION]
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// Registered is a request that the registry has answered well.
type Registered struct {
	Path string `json:"path"`
	Body []byte `json:"body"`
}

// key is that of a request's body among what it carries.
type key struct{}

func main() {
	address, path := os.Args[1], os.Args[2]
	registry := srfake.New()
	replay(path, registry.URL())
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	authorization := strings.Join(os.Args[3:], " ")
	fmt.Println("ready")
	log.Fatal(http.ListenAndServe(address, translated(kept(registry.URL(), file, authorization))))
}

// kept passes requests on, and writes down those that register a schema.
func kept(target string, file *os.File, authorization string) http.Handler {
	inner, err := url.Parse(target)
	if err != nil {
		log.Fatal(err)
	}
	proxy, lock := httputil.NewSingleHostReverseProxy(inner), sync.Mutex{}
	proxy.ModifyResponse = func(answer *http.Response) error {
		body, _ := answer.Request.Context().Value(key{}).([]byte)
		if answer.StatusCode != http.StatusOK || body == nil {
			return nil
		}
		line, _ := json.Marshal(Registered{answer.Request.URL.Path, body})
		lock.Lock()
		defer lock.Unlock()
		_, err := file.Write(append(line, '\n'))
		return err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if authorization != "" && r.Header.Get("Authorization") != authorization {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error_code": 40101, "message": "unauthorized"}`)
			return
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/versions") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			r = r.WithContext(context.WithValue(r.Context(), key{}, body))
		}
		proxy.ServeHTTP(w, r)
	})
}

// replay registers again what was registered before, so that every id is the same.
func replay(path, target string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one Registered
		if json.Unmarshal(lines.Bytes(), &one) != nil {
			continue
		}
		answer, err := http.Post(target+one.Path, "application/json", bytes.NewReader(one.Body))
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
	}
}
