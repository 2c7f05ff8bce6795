// net/http over HTTP/2 in clear text (h2c, by prior knowledge):
//
//	go_http2 server BOOK   answers as server/http2_server.mjs does
//	go_http2 client JOB    asks as clients/http2_client.mjs does
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

type question struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Metadata struct {
		Together int `json:"together"`
	} `json:"metadata"`
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func unencrypted() *http.Protocols {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &protocols
}

// --- server ----------------------------------------------------------------------------------------------------------

type server struct {
	lock    sync.Mutex
	book    *os.File
	served  int
	waiting []chan int
}

// Its number, once as many others wait as it asks for.
func (s *server) turn(together int) int {
	begin := make(chan int, 1)
	s.lock.Lock()
	s.waiting = append(s.waiting, begin)
	if len(s.waiting) >= together {
		for _, waiting := range s.waiting {
			s.served++
			waiting <- s.served
		}
		s.waiting = nil
	}
	s.lock.Unlock()
	return <-begin
}

func (s *server) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	body := must(io.ReadAll(request.Body))
	var asked question
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	number := s.turn(asked.Metadata.Together)
	id := fmt.Sprintf("chatcmpl-go-%d", number)
	model := asked.Model + "-2026-01-01"
	read, written := 4000+number, 9*number+4
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, read, written, read+written)
	answer.Header().Set("X-Request-Id", fmt.Sprintf("req-%d", number))
	var pieces []string
	if asked.Stream {
		answer.Header().Set("Content-Type", "text/event-stream")
		common := fmt.Sprintf(`data: {"id":%q,"object":"chat.completion.chunk","model":%q,`, id, model)
		for word := 0; word < 1+number%9; word++ {
			pieces = append(pieces, fmt.Sprintf("%s\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"}}]}\n\n", common, word))
		}
		pieces = append(pieces, common+"\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
			common+"\"choices\":[],\"usage\":"+usage+"}\n\n", "data: [DONE]\n\n")
	} else {
		answer.Header().Set("Content-Type", "application/json")
		answer.Header().Set("Trailer", "X-Checksum")
		text := fmt.Sprintf(`{"id":%q,"object":"chat.completion","model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":%s}`,
			id, model, strings.Repeat("x", 100*(number%50)), usage)
		third := len(text) / 3
		pieces = []string{text[:third], text[third : 2*third], text[2*third:]}
	}
	for _, piece := range pieces {
		must(io.WriteString(answer, piece))
		answer.(http.Flusher).Flush()
	}
	if !asked.Stream {
		answer.Header().Set("X-Checksum", "none")
	}
	line := must(json.Marshal(map[string]any{
		"response_id": id, "request_id": fmt.Sprintf("req-%d", number), "request_model": asked.Model,
		"response_model": model, "input_tokens": read, "output_tokens": written, "stream": asked.Stream,
		"request_bytes": len(body)}))
	s.lock.Lock()
	defer s.lock.Unlock()
	must(s.book.Write(append(line, '\n')))
}

func serve(book string) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Printf("{\"port\": %d}\n", listener.Addr().(*net.TCPAddr).Port)
	handler := &server{book: must(os.OpenFile(book, os.O_APPEND|os.O_WRONLY, 0))}
	must(0, (&http.Server{Handler: handler, Protocols: unencrypted()}).Serve(listener))
}

// --- client ----------------------------------------------------------------------------------------------------------

func ask(text string) {
	var job struct {
		URL         string
		Connections int
		Path        string
		Bodies      []json.RawMessage
	}
	must(0, json.Unmarshal([]byte(text), &job))
	clients := make([]*http.Client, job.Connections)
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{Protocols: unencrypted()}}
	}
	var all sync.WaitGroup
	for i, body := range job.Bodies {
		all.Add(1)
		go func() {
			defer all.Done()
			request := must(http.NewRequest("POST", job.URL+job.Path, bytes.NewReader(body)))
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer sk-h2-test")
			answer := must(clients[i%len(clients)].Do(request))
			if answer.StatusCode != 200 || answer.ProtoMajor != 2 {
				must(0, fmt.Errorf("status %d of %s", answer.StatusCode, answer.Proto))
			}
			if len(must(io.ReadAll(answer.Body))) == 0 {
				must(0, fmt.Errorf("no answer"))
			}
		}()
	}
	all.Wait()
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "server" {
		serve(os.Args[2])
	}
	if len(os.Args) == 3 && os.Args[1] == "client" {
		ask(os.Args[2])
		return
	}
	fmt.Fprintln(os.Stderr, "usage: go_http2 server BOOK | client JOB")
	os.Exit(1)
}
