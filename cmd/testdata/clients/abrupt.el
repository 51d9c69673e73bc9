;;; -*- lexical-binding: t -*-
;; Runs a long task and prints the process ids of the server and of the task.
(require 'jsonrpc)

(defvar process
  (make-process :name "jobline" :command '("jobline" "serve") :connection-type 'pipe
                :coding 'utf-8-unix :noquery t :stderr (get-buffer-create "*jobline stderr*")))

(defvar jobline
  (jsonrpc-process-connection
   :name "jobline" :process process
   :notification-dispatcher
   (lambda (_connection _method params)
     (send-string-to-terminal (format "%d %d\n" (process-id process) (plist-get params :pid))))))

(jsonrpc-async-request jobline :submit '(:type "exec" :input (:argv ["sleep" "600"])))
(while t (accept-process-output process 1))
