;;; jobline.el --- A queue of tasks that all windows share  -*- lexical-binding: t -*-

;; Author: The jobline authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: processes, tools, convenience
;; URL: https://github.com/jobline/jobline

;;; Commentary:

;; Runs builds, tests and scripts in the background on the queue of jobline,
;; which all editors and terminals of a user share.  Tasks outlive Emacs.
;;
;;   M-x jobline-run      runs a shell command
;;   M-x jobline-submit   submits a task of any type
;;   M-x jobline-again    runs a recent task again
;;   M-x jobline-list     shows all tasks, live
;;   M-x jobline-logs     shows the output of a task, and jumps to its errors
;;   M-x jobline-cancel   cancels a task
;;   M-x jobline-top      runs "jobline top" in a terminal buffer
;;   M-x jobline-doctor   looks for what is wrong
;;
;; With (jobline-mode) in your init file, Emacs tells at its start what has
;; ended while it was away.
;;
;; Nothing waits for the server but a prompt that needs its answer, and that
;; can be quit.  What arrives is taken in by timers that work for a few
;; milliseconds each, so that many tasks that write a lot stop no typing.

;;; Code:

(require 'ansi-color)
(require 'cl-lib)
(require 'compile)
(require 'seq)
(require 'subr-x)
(require 'tabulated-list)
(require 'term)

(defgroup jobline nil
  "A queue of tasks that all windows share."
  :group 'processes
  :prefix "jobline-")

(defcustom jobline-program "jobline"
  "The program jobline: a name to find in variable `exec-path', or a path."
  :type 'string)

(defcustom jobline-arguments nil
  "Arguments that choose the server, as (\"--project\" \"/home/ada/unicorns\").
All commands of the program get them.  Nil means the server of the user."
  :type '(repeat string))

(defcustom jobline-max-lines 100000
  "How many lines the buffer of a task keeps.  The oldest are removed first."
  :type 'natnum)

(defcustom jobline-max-size (* 10 1024 1024)
  "How many characters the buffer of a task keeps.  The oldest are removed first."
  :type 'natnum)

(defcustom jobline-list-length 200
  "How many tasks the list shows, the newest first.  At most 1000."
  :type 'natnum)

(defcustom jobline-state-file (locate-user-emacs-file "jobline-state.eld")
  "The file that keeps which events were seen, for the next session."
  :type 'file)

(defcustom jobline-notify-function #'jobline-notify
  "The function that tells of a task that has ended while nobody looked at it.
It is called with a line of text and the task, a plist."
  :type 'function)

(defface jobline-note '((t :inherit shadow))
  "Face of the lines in the buffer of a task that the task has not written.")

(defconst jobline--slice 0.005
  "How many seconds a timer may work before it lets Emacs read input.")

(defconst jobline--garbage 16000000
  "How many bytes a timer may leave as garbage before Emacs collects it.
Else Emacs does so within a slice, and once more between two of them.")

(defconst jobline--protocol "1"
  "The version of the protocol that this package speaks.")

(defconst jobline--unread-limit 4000000
  "How many characters wait to be taken in before Emacs stops reading.")

(defvar jobline--process nil "The process of jobline attach, or nil.")
(defvar jobline--ready nil "Whether the server has answered to initialize.")
(defvar jobline--unfit nil "Why this package cannot use the server, or nil.")
(defvar jobline--ending nil "Whether Emacs has said shutdown on the connection.")
(defvar jobline--told-down nil
  "Whether the server has said that it shuts down.
Until a command of the user, a connection starts no other one then.")
(defvar jobline--partial nil "Pieces of a line that has not ended, the last first.")
(defvar jobline--lines nil "Lines that were read and not yet taken in, in order.")
(defvar jobline--last-line nil "The last cons of `jobline--lines'.")
(defvar jobline--unread 0 "How many characters `jobline--lines' has.")
(defvar jobline--drain-timer nil "The timer that takes in lines, or nil.")
(defvar jobline--flush-timer nil "The timer that shows output, or nil.")
(defvar jobline--retry-timer nil "The timer that connects again, or nil.")
(defvar jobline--retry-delay 1 "Seconds until the next try to connect again.")
(defvar jobline--calls (make-hash-table) "What awaits replies, by id of request.")
(defvar jobline--last-id 0 "The id of the latest request.")
(defvar jobline--tasks (make-hash-table :test 'equal) "Tasks that are not final, by id.")
(defvar jobline--own (make-hash-table :test 'equal)
  "Ids of tasks of this Emacs, and of those before it, whose end it has to tell.")
(defvar jobline--inputs (make-hash-table :test 'equal) "Inputs of listed tasks, by id.")
(defvar jobline--buffers (make-hash-table :test 'equal) "Buffers of tasks, by id.")
(defvar jobline--types nil "The task types that the server offers, a vector.")
(defvar jobline--seq nil "The highest number of an event that counts as seen.")
(defvar jobline--newest 0 "The highest number of an event on this connection.")
(defvar jobline--replay nil "Counts of ends by state while the past is told, or `none'.")
(defvar jobline--save-timer nil "The timer that writes the state file, or nil.")
(defvar jobline--mode-line "" "What the mode line shows of all tasks.")
(put 'jobline--mode-line 'risky-local-variable t)
(defvar jobline-submit-history nil "What was typed for `jobline-submit'.")

(define-error 'jobline-refused "The jobline server refused a request")

(defvar jobline-mode)
(defvar-local jobline--task-id nil "The id of the task that this buffer shows.")

;;;; The connection

(defun jobline--encode (value)
  "VALUE as JSON text, in bytes."
  (json-serialize value :null-object :null :false-object :false))

(defun jobline--decode (text)
  "The value of the JSON TEXT, whose objects become plists."
  (json-parse-string text :object-type 'plist :null-object :null :false-object :false))

(defun jobline--say (format &rest arguments)
  "Show a message: FORMAT with ARGUMENTS."
  (message "jobline: %s" (apply #'format format arguments)))

(defun jobline--attach ()
  "Start jobline attach, and so a server unless one was told to shut down."
  (unless (and (fboundp 'json-available-p) (json-available-p))
    (user-error "This Emacs was built without JSON; jobline needs it"))
  (unless (executable-find jobline-program)
    (user-error "There is no program %s in `exec-path'; install jobline, or set `jobline-program'"
                jobline-program))
  (let ((errors (get-buffer-create " *jobline stderr*"))
        (default-directory (expand-file-name "~/"))
        (process-adaptive-read-buffering nil))
    (with-current-buffer errors (erase-buffer))
    (setq jobline--partial nil jobline--lines nil jobline--unread 0
          jobline--ready nil jobline--ending nil jobline--unfit nil
          jobline--process
          (make-process :name "jobline" :connection-type 'pipe :noquery t :stderr errors
                        :coding '(utf-8-unix . binary)
                        :command `(,jobline-program "attach" ,@(and jobline--told-down '("--no-start")) ,@jobline-arguments)
                        :filter #'jobline--filter :sentinel #'jobline--sentinel))
    (let ((reader (get-buffer-process errors)))
      (when reader
        (set-process-query-on-exit-flag reader nil)
        (set-process-sentinel reader #'ignore)))))

(defun jobline--connect ()
  "Connect, unless there is a connection."
  (unless jobline-mode (jobline-mode))
  (unless (process-live-p jobline--process)
    (when jobline--process (jobline--ended jobline--process)) ; its sentinel has not come to that yet
    (when jobline--retry-timer (cancel-timer jobline--retry-timer))
    (setq jobline--retry-timer nil)
    (jobline--attach)
    (jobline--write "initialize" (list :clientInfo (list :name "emacs" :version emacs-version) :protocolVersion jobline--protocol)
                    #'jobline--initialized
                    #'jobline--say-failure)))

(defun jobline--write (method params then else)
  "Send a request of METHOD with PARAMS.
THEN is called with the result, or ELSE with the error."
  (let ((id (setq jobline--last-id (1+ jobline--last-id))))
    (puthash id (cons then else) jobline--calls)
    (let ((line (condition-case nil
                    (jobline--encode (list :jsonrpc "2.0" :id id :method method :params params))
                  (error (remhash id jobline--calls)
                         (user-error "What is to be sent to jobline is not valid Unicode")))))
      ;; A process that has just ended signals an error; its sentinel fails the call.
      (ignore-errors (process-send-string jobline--process (concat line "\n"))))))

(defun jobline--call (method params &optional then else)
  "Send a request of METHOD with PARAMS, after connecting where needed.
THEN is called with the result.  ELSE is called with the error; without it a
message shows the error."
  (jobline--connect)
  (jobline--write method params (or then #'ignore)
                  (or else #'jobline--say-failure)))

(defun jobline--await (method &optional params)
  "The result of METHOD with PARAMS, for a prompt that needs it.
Signals `jobline-refused' with the words of the server."
  (jobline--wait (lambda (then else) (jobline--call method params then else))))

(defun jobline--wait (start)
  "What START has its first argument called with, for a prompt that needs it.
Where START has its second called, signal `jobline-refused' with that message.
Timers and other processes go on meanwhile, and \\[keyboard-quit] quits."
  (let* (result failure reporter (since (float-time)))
    (setq jobline--told-down nil)
    (funcall start (lambda (r) (setq result (list r))) (lambda (f) (setq failure f)))
    (while (not (or result failure))
      (accept-process-output nil 0.02)
      (when (> (- (float-time) since) 0.5)
        (unless reporter (setq reporter (make-progress-reporter "Waiting for jobline...")))
        (progress-reporter-update reporter)))
    (when reporter (progress-reporter-done reporter))
    (when failure (signal 'jobline-refused (list (plist-get failure :message))))
    (car result)))

(defun jobline--filter (process text)
  "Keep TEXT that PROCESS wrote, and have a timer take in its lines."
  (push text jobline--partial)
  (when (string-search "\n" text)
    (let* ((lines (split-string (apply #'concat (nreverse jobline--partial)) "\n"))
           (whole (butlast lines)))
      (setq jobline--partial (last lines))
      (if jobline--lines (setcdr jobline--last-line whole) (setq jobline--lines whole))
      (setq jobline--last-line (last whole)
            jobline--unread (seq-reduce (lambda (sum line) (+ sum (length line))) whole jobline--unread))
      (when (> jobline--unread jobline--unread-limit)
        (set-process-filter process t))  ; the server skips output of a slow reader, and says how much
      (unless jobline--drain-timer
        (setq jobline--drain-timer (run-at-time 0.005 nil #'jobline--drain))))))

(defun jobline--drain ()
  "Take in lines for a short time."
  (setq jobline--drain-timer nil)
  (let ((until (+ (float-time) jobline--slice)) (gc-cons-threshold (max gc-cons-threshold jobline--garbage)))
    (while (and jobline--lines (< (float-time) until))
      (let ((line (pop jobline--lines)))
        (setq jobline--unread (- jobline--unread (length line)))
        (with-demoted-errors "jobline: %S" (jobline--take-line line)))))
  (when (and (process-live-p jobline--process) (eq (process-filter jobline--process) t)
             (< jobline--unread (/ jobline--unread-limit 2)))
    (set-process-filter jobline--process #'jobline--filter))
  (when jobline--lines
    (setq jobline--drain-timer (run-at-time 0.005 nil #'jobline--drain))))

(defun jobline--take-line (line)
  "Take in LINE, a message of the server."
  (unless (string-empty-p line)
    (let* ((message (jobline--decode line))
           (method (plist-get message :method))
           (id (plist-get message :id))
           (call (and (null method) (gethash id jobline--calls))))
      (cond
       (method (jobline--take-event method (plist-get message :params)))
       (call
        (remhash id jobline--calls)
        (if (plist-member message :result)
            (funcall (car call) (plist-get message :result))
          (funcall (cdr call) (plist-get message :error))))))))

(defun jobline--sentinel (process _event)
  "Notice the end of PROCESS, once what it wrote has been read."
  (when (and (eq process jobline--process) (not (process-live-p process)))
    (run-at-time 0.1 nil #'jobline--ended process)))

(defun jobline--last-words ()
  "The last line that jobline attach wrote on stderr, or nil."
  (with-current-buffer (get-buffer-create " *jobline stderr*")
    (let ((words (car (last (split-string (buffer-string) "\n" t)))))
      (and words (string-remove-prefix "jobline: " (jobline--plain words))))))

(defun jobline--ended (process)
  "Handle the end of PROCESS: fail what is pending, and connect again."
  (while (and jobline--lines (eq process jobline--process))
    (jobline--take-line (pop jobline--lines)))
  (when (eq process jobline--process)   ; else what it wrote has led to the next connection
    (let ((was-ready jobline--ready)
          (words (or jobline--unfit (jobline--last-words) "the server has ended"))
          (calls (hash-table-values jobline--calls)))
      (setq words (concat words (cond (jobline--unfit "")
                                      ((not was-ready) "; is jobline-program too old? M-x jobline-doctor looks for what is wrong")
                                      (jobline--told-down "; the next command starts another")
                                      (t ""))))
      (setq jobline--process nil jobline--ready nil)
      (clrhash jobline--calls)
      (unless jobline--ending
        (when (or was-ready jobline--retry-timer (> jobline--retry-delay 1))
          (jobline--retry))
        (cond ((and jobline--told-down (not was-ready))) ; nobody has asked, and it was said once
              (calls (dolist (call calls) (funcall (cdr call) (list :message words))))
              (t (jobline--say "%s" words))))
      (jobline--show-mode-line))))

(defun jobline--retry ()
  "Connect again after a while."
  (when jobline--retry-timer (cancel-timer jobline--retry-timer))
  (setq jobline--retry-timer
        (run-at-time jobline--retry-delay nil
                     (lambda ()
                       (setq jobline--retry-timer nil)
                       (condition-case failure (jobline--connect)
                         (user-error (jobline--say "%s" (cadr failure))))))
        jobline--retry-delay (min 30 (* 2 jobline--retry-delay))))

(defun jobline--initialized (result)
  "Begin where the server fits, as initialize has answered RESULT, or end."
  (let ((version (plist-get result :protocolVersion)))
    (setq jobline--unfit
          (cond ((not (equal jobline--protocol (car (split-string version "\\."))))
                 (format "the server speaks version %s of the protocol, and this package %s: update the older one"
                         version jobline--protocol))
                ((not (eq t (plist-get (plist-get result :capabilities) :shared)))
                 "this server is not shared, so its tasks would end with Emacs: update jobline"))))
  (if jobline--unfit (delete-process jobline--process)
    (jobline--begin result)))

(defun jobline--begin (result)
  "Subscribe, and ask for open tasks, as initialize has answered RESULT."
  (setq jobline--ready t jobline--told-down nil jobline--retry-delay 1 jobline--newest (plist-get result :seq))
  (clrhash jobline--tasks)
  (jobline--write "types" nil (lambda (r) (setq jobline--types (plist-get r :types))) #'ignore)
  (jobline--subscribe jobline--seq)
  (unless jobline--seq (setq jobline--seq jobline--newest)) ; a first submit saves it at once
  (jobline--write "list" '(:states ["running" "queued"] :limit 1000)
                  (lambda (r) (seq-do #'jobline--note-task (plist-get r :tasks)) (jobline--show-mode-line))
                  #'ignore)
  (dolist (buffer (hash-table-values jobline--buffers))
    (when (buffer-live-p buffer) (with-current-buffer buffer (jobline--open-output))))
  (jobline--list-soon))

(defun jobline--subscribe (after)
  "Subscribe to the events of all tasks but output, from the event AFTER."
  (setq jobline--replay (if after nil 'none))
  (jobline--write
   "subscribe" `(:events ["started" "progress" "finished"] ,@(and after (list :after after)))
   (lambda (result) (unless after (jobline--seen (plist-get result :seq))))
   (lambda (failure)
     (cond ((not after) (jobline--say "%s" (plist-get failure :message)))
           (jobline--process            ; else the connection is lost
            (clrhash jobline--own)
            (jobline--say "some tasks that ended while you were away are no longer kept; the list shows what is")
            (jobline--subscribe nil))))))

;;;; State that outlives Emacs

(defun jobline--state ()
  "Everything that the state file has: plists by arguments."
  (ignore-errors
    (with-temp-buffer (insert-file-contents jobline-state-file) (read (current-buffer)))))

(defun jobline--kept ()
  "What the state file has of this server: a cons of its seq and its open tasks.
Each of these is a cons of its id and of the process of its Emacs."
  (let ((known (alist-get jobline-arguments (jobline--state) nil nil #'equal)))
    (cons (plist-get known :seq) (let ((open (plist-get known :open))) (and (listp open) open)))))

(defun jobline--of-another-p (task)
  "Whether TASK, of the state file, is of another Emacs, which still lives."
  (and (/= (cdr task) (emacs-pid)) (process-attributes (cdr task))))

(defun jobline--adopt ()
  "Go on from the state file, with the tasks of each Emacs that has ended.
Answer whether there are some."
  (let ((kept (jobline--kept)))
    (setq jobline--seq (or jobline--seq (car kept)))
    (dolist (task (cdr kept))
      (unless (jobline--of-another-p task) (puthash (car task) t jobline--own)))
    (not (hash-table-empty-p jobline--own))))

(defun jobline--save ()
  "Write the highest event seen, and the tasks that are open, to the state file."
  (when jobline--save-timer (cancel-timer jobline--save-timer))
  (setq jobline--save-timer nil)
  (when jobline--seq
    (let ((all (jobline--state)) (new (format "%s.%d" jobline-state-file (emacs-pid)))
          (open (append (mapcar (lambda (id) (cons id (emacs-pid))) (hash-table-keys jobline--own))
                        (seq-filter #'jobline--of-another-p (cdr (jobline--kept))))))
      (setf (alist-get jobline-arguments all nil nil #'equal) (list :seq jobline--seq :open open))
      (with-demoted-errors "jobline: %S"
        (make-directory (file-name-directory jobline-state-file) t)
        (let ((write-region-inhibit-fsync t))
          (with-temp-file new (prin1 all (current-buffer))))
        (rename-file new jobline-state-file t)))))

(defun jobline--save-soon (delay)
  "Write the state file after DELAY seconds, unless that is planned."
  (unless jobline--save-timer
    (setq jobline--save-timer (run-at-time delay nil #'jobline--save))))

(defun jobline--seen (seq)
  "Count the events up to SEQ as seen, unless the past is still being told."
  (when (> seq jobline--newest) (setq jobline--newest seq))
  (when (and (eq jobline--replay 'none) (> jobline--newest (or jobline--seq -1)))
    (setq jobline--seq jobline--newest)
    (jobline--save-soon 20)))

(defun jobline--leave ()
  "End the connection at the end of Emacs.  The tasks go on."
  (jobline--save)
  (when (process-live-p jobline--process)
    (setq jobline--ending t)
    (ignore-errors
      (jobline--write "shutdown" nil #'ignore #'ignore)
      (process-send-eof jobline--process))))

;;;; Events

(defun jobline--take-event (method params)
  "Take in a notification of METHOD with PARAMS."
  (let ((id (plist-get params :id)))
    (pcase method
      ("task/output" (jobline--take-output id params))
      ("task/started" (jobline--note-task (list :id id :state "running" :startedAt (plist-get params :startedAt))))
      ("task/progress" (jobline--note-task (list :id id :state "running" :progress params)))
      ("task/finished" (jobline--finished params))
      ("executor/shuttingDown" (setq jobline--told-down t))
      ("subscription/replayed" (jobline--replayed params)))
    (when (plist-get params :seq) (jobline--seen (plist-get params :seq)))
    (when id (jobline--show-mode-line) (jobline--list-soon))))

(defun jobline--note-task (news)
  "Keep NEWS of a task that is not final, and show it in its buffer."
  (let* ((id (plist-get news :id)) (task (gethash id jobline--tasks)) (rest news))
    (while rest (setq task (plist-put task (pop rest) (pop rest))))
    (puthash id task jobline--tasks)
    (jobline--in-buffer id (lambda () (jobline--merge news)))))

(defun jobline--finished (task)
  "Note the end of TASK, and notify a user who does not see its buffer."
  (let ((id (plist-get task :id)) (state (intern (plist-get task :state))))
    (remhash id jobline--tasks)
    (cond ((not (jobline--mine-p id)))
          ((eq jobline--replay 'none)
           (unless (jobline--looking-p id)
             (funcall jobline-notify-function
                      (format "%s %s" (jobline--name task) (jobline--outcome task)) task)))
          (t (cl-incf (alist-get state jobline--replay 0))))
    (when (gethash id jobline--own)
      (remhash id jobline--own)
      (jobline--save-soon 2))
    (jobline--in-buffer id (lambda () (jobline--merge task) (jobline--finish)))))

(defun jobline--replayed (params)
  "Tell what has ended before this connection, and of gaps in PARAMS."
  (let ((counts jobline--replay))
    (setq jobline--replay 'none)
    (when (and counts (listp counts))
      (jobline--say "finished while you were away: %s"
                    (mapconcat (lambda (c) (format "%d %s" (cdr c) (car c))) (reverse counts) ", ")))
    (when (plist-get params :missed)
      (jobline--say "some ends of tasks were missed; the list shows them"))))

(defun jobline--mine-p (id)
  "Whether the task with ID is one of this Emacs, or open in a buffer."
  (or (gethash id jobline--own) (buffer-live-p (gethash id jobline--buffers))))

(defun jobline--looking-p (id)
  "Whether the user can see the buffer of the task with ID."
  (let ((buffer (gethash id jobline--buffers)))
    (and (buffer-live-p buffer)
         (seq-some (lambda (window) (frame-focus-state (window-frame window)))
                   (get-buffer-window-list buffer 'nomini 'visible)))))

(defun jobline-notify (text _task)
  "Show TEXT in the echo area, the default of `jobline-notify-function'."
  (jobline--say "%s" text))

(defun jobline--plain (text)
  "TEXT as one line that is safe to show anywhere."
  (replace-regexp-in-string "[[:cntrl:]]+" " " text))

(defun jobline--name (task)
  "A line that describes TASK."
  (let* ((id (plist-get task :id)) (type (plist-get task :type))
         (input (or (plist-get task :input) (gethash id jobline--inputs)))
         (argv (and (listp input) (plist-get input :argv))))
    (jobline--plain
     (cond ((vectorp argv)
            (if (and (= (length argv) 3) (equal (aref argv 1) "-c")) (aref argv 2)
              (mapconcat (lambda (word) (format "%s" word)) argv " ")))
           (input (format "%s %s" type (decode-coding-string (jobline--encode input) 'utf-8)))
           (t (or type id))))))

(defun jobline--outcome (task)
  "How TASK stands, in a few words."
  (let* ((state (or (plist-get task :state) "queued")) (failure (plist-get task :error))
         (progress (plist-get task :progress)) (total (plist-get progress :total)))
    (cond
     ((and failure (plist-get failure :exitCode)) (format "%s exit %s" state (plist-get failure :exitCode)))
     ((and failure (equal state "failed")) (format "%s: %s" state (jobline--plain (plist-get failure :message))))
     ((not (equal state "running")) state)
     ((plist-get task :cancelRequestedAt) "cancelling")
     ((and (numberp total) (> total 0))
      (format "running %d%%" (/ (* 100 (plist-get progress :progress)) total)))
     (progress (format "running %s" (plist-get progress :progress)))
     (t state))))

(defun jobline--show-mode-line ()
  "Compute the text of the mode line about all tasks."
  (let ((running 0) newest text)
    (maphash (lambda (_id task)
               (when (equal (plist-get task :state) "running")
                 (setq running (1+ running))
                 (when (plist-get task :progress) (setq newest task))))
             jobline--tasks)
    (setq text (cond ((not jobline--ready) "")
                     ((= running 0) "")
                     (newest (format " [jobline %d: %s]" running (string-remove-prefix "running " (jobline--outcome newest))))
                     (t (format " [jobline %d]" running))))
    (unless (equal text jobline--mode-line)
      (setq jobline--mode-line text)
      (force-mode-line-update t))))

;;;###autoload
(define-minor-mode jobline-mode
  "Show in the mode line what runs on jobline, and tell of what has ended.
Where tasks of an earlier session are open, this connects at once; else the
first command does."
  :global t
  (cond
   (jobline-mode
    (unless global-mode-string (setq global-mode-string '("")))
    (add-to-list 'global-mode-string 'jobline--mode-line t)
    (add-hook 'kill-emacs-hook #'jobline--leave)
    (when (jobline--adopt)
      (condition-case failure (jobline--connect)
        (user-error (jobline--say "%s" (cadr failure))))))
   (t
    (setq global-mode-string (delq 'jobline--mode-line global-mode-string))
    (remove-hook 'kill-emacs-hook #'jobline--leave)
    (when jobline--retry-timer (cancel-timer jobline--retry-timer))
    (jobline--leave))))

;;;; Submitting

(defun jobline--command (arguments then else)
  "Run the program with ARGUMENTS, in this directory and environment.
THEN is called with the id that it prints, or ELSE with its error.  Tasks are
submitted so, and not by a request, since the program knows how a directory, an
environment and secrets reach a task."
  (let ((process (make-process :name "jobline command" :connection-type 'pipe :noquery t :coding 'utf-8-unix
                               :buffer (generate-new-buffer " *jobline command*" t)
                               :command `(,jobline-program ,(car arguments) ,@jobline-arguments ,@(cdr arguments)))))
    (set-process-sentinel
     process
     (lambda (_process _event)
       (unless (process-live-p process)
         (let ((said (with-current-buffer (process-buffer process) (buffer-string))))
           (kill-buffer (process-buffer process))
           (if (and (= 0 (process-exit-status process)) (string-match "^[-0-9a-f]\\{36\\}$" said))
               (funcall then (match-string 0 said))
             (funcall else (list :message (string-join (split-string said "\n\\(?:jobline: \\)?\\|\\`jobline: " t) "; "))))))))))

(defun jobline--submit (arguments then else)
  "Submit a task by the program with ARGUMENTS, and show its buffer.
Then THEN is called with its id; or ELSE with the error."
  (when (file-remote-p default-directory)
    (user-error "%s is on another machine; jobline runs commands on this one" default-directory))
  (setq jobline--told-down nil)
  (let ((directory default-directory) (environment process-environment))
    (jobline--call "stats" nil          ; fails where there is no server that fits
                   (lambda (_)
                     (let ((default-directory directory) (process-environment environment))
                       (jobline--command arguments (lambda (id) (jobline--submitted id) (funcall then id)) else)))
                   else)))

(defun jobline--submitted (id)
  "Note the task with ID, which this Emacs has submitted, and show its buffer."
  (puthash id t jobline--own)
  (jobline--note-task (list :id id :state "queued"))
  (jobline--save)
  (jobline--show-mode-line)
  (display-buffer (jobline--buffer (list :id id))))

(defun jobline--say-failure (failure)
  "Say what FAILURE, an error of the server or the program, is about."
  (jobline--say "%s" (plist-get failure :message)))

;;;###autoload
(defun jobline-run (command)
  "Run the shell command COMMAND in the background, and show its output.
It runs in the directory and with the environment of the current buffer.
Variables whose names tell of secrets are kept in no file."
  (interactive (list (read-shell-command "Run on jobline: " (eval compile-command t) 'compile-history)))
  (save-some-buffers (not compilation-ask-about-save) compilation-save-buffers-predicate)
  (jobline--submit (list "submit" "--label" "owner=emacs" "--" shell-file-name shell-command-switch command)
                   #'ignore #'jobline--say-failure))

(defun jobline--type (name)
  "The task type of this NAME or alias on the server, or nil."
  (seq-find (lambda (type) (or (equal name (plist-get type :name)) (seq-contains-p (plist-get type :aliases) name)))
            jobline--types))

(defun jobline--members (type)
  "The members of the input of TYPE: an alist of names and schemas."
  (let ((members (plist-get (plist-get type :inputSchema) :properties)) all)
    (while members
      (push (cons (substring (symbol-name (pop members)) 1) (pop members)) all))
    (nreverse all)))

(defun jobline--annotation (schema)
  "The text beside a member with SCHEMA in its completion."
  (let ((default (plist-get schema :default)))
    (concat "  " (let ((type (plist-get schema :type))) (if (vectorp type) (string-join type "|") (or type "any")))
            (if default (format " (%s)" default) "")
            "  " (or (plist-get schema :description) ""))))

(defun jobline--complete-input (type)
  "Complete the word at point as a member of the input of TYPE, or its value."
  (let* ((end (point)) (members (jobline--members type))
         (start (save-excursion (skip-chars-backward "^ \t" (minibuffer-prompt-end)) (point)))
         (word (buffer-substring-no-properties start end)))
    (if (string-match "\\`\\([^=]*\\)=" word)
        (let ((schema (cdr (assoc (match-string 1 word) members))))
          (list (+ start (match-end 0)) end
                (append (plist-get schema :enum) (and (equal (plist-get schema :type) "boolean") '("true" "false")))
                :exclusive 'no))
      (list start end (mapcar (lambda (m) (concat (car m) "=")) members)
            :annotation-function
            (lambda (name) (jobline--annotation (cdr (assoc (string-remove-suffix "=" name) members))))))))

(defun jobline--input-arguments (text)
  "The arguments of submit for TEXT: a JSON object, or words NAME=VALUE."
  (if (string-match-p "\\`[ \t]*{" text) (list "--input" text)
    (mapcan (lambda (word) (list "--set" word)) (split-string-and-unquote text))))

(defun jobline--read-input (type text words)
  "Read the input of TYPE in the minibuffer, starting with TEXT.
WORDS, if any, tell what was wrong with it."
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map minibuffer-local-map)
    (define-key map "\t" #'completion-at-point)
    (minibuffer-with-setup-hook
        (lambda ()
          (add-hook 'completion-at-point-functions (lambda () (jobline--complete-input type)) nil t))
      (read-from-minibuffer (concat (and words (propertize (concat words "\n") 'face 'error))
                                    (format "%s (TAB completes NAME=VALUE): " (plist-get type :name)))
                            text map nil 'jobline-submit-history))))

(defun jobline--required (type)
  "The words that an input of TYPE begins with: its required members."
  (mapconcat (lambda (name) (concat name "=")) (plist-get (plist-get type :inputSchema) :required) " "))

(defun jobline--read-type ()
  "Read the name of a task type."
  (setq jobline--types (plist-get (jobline--await "types") :types))
  (let ((completion-extra-properties
         (list :annotation-function
               (lambda (name) (concat "  " (plist-get (jobline--type name) :description))))))
    (completing-read "Task type: " (mapcar (lambda (type) (plist-get type :name)) jobline--types) nil t)))

;;;###autoload
(defun jobline-submit (name text)
  "Submit a task of the type NAME with the input TEXT, and show its output.
TEXT is a JSON object, or words NAME=VALUE as a shell quotes them; in the
minibuffer TAB completes members of the input and their values.  What the
server refuses is shown in its words, and can be mended."
  (interactive (list (condition-case failure (jobline--read-type)
                       (jobline-refused (user-error "%s" (cadr failure))))
                     nil))
  (unless jobline--types (setq jobline--types (plist-get (jobline--await "types") :types)))
  (let* ((type (or (jobline--type name) (list :name name))) (given text) words task)
    (unless given (setq text (jobline--required type)))
    (while (not task)
      (unless given (setq text (jobline--read-input type text words)))
      (condition-case failure
          (setq task (jobline--wait
                      (lambda (then else)
                        (jobline--submit `("submit" "--label" "owner=emacs" ,name ,@(jobline--input-arguments text)) then else))))
        ((jobline-refused error)
         (setq words (if (stringp (cadr failure)) (cadr failure) (error-message-string failure)))
         (when given (user-error "%s" words)))))))

(defun jobline--read-task (prompt states)
  "Read one of the newest tasks that are in STATES with PROMPT, and answer its id."
  (let* ((tasks (condition-case failure
                    (plist-get (jobline--await "list" (list :states states :limit 50)) :tasks)
                  (jobline-refused (user-error "%s" (cadr failure)))))
         (choices (mapcar (lambda (task)
                            (let ((id (plist-get task :id)))
                              (unless (gethash id jobline--inputs)
                                (puthash id (plist-get (jobline--await "status" (list :id id :includeInput t)) :input)
                                         jobline--inputs))
                              (cons (format "%s  %s  %s" (jobline--name task) (jobline--outcome task) (substring id -8)) id)))
                          tasks)))
    (unless choices (user-error "There is no such task"))
    (cdr (assoc (completing-read prompt choices nil t) choices))))

(defun jobline--id (prompt &rest states)
  "The id of the task here, or else of one in STATES that is read with PROMPT."
  (or jobline--task-id (and (derived-mode-p 'jobline-list-mode) (tabulated-list-get-id))
      (jobline--read-task prompt (vconcat states))))

;;;###autoload
(defun jobline-again (id)
  "Submit the task with ID again: the same type, input and labels."
  (interactive (list (jobline--id "Run again: " "completed" "failed" "cancelled")))
  (jobline--submit (list "retry" id) #'ignore #'jobline--say-failure))

;;;###autoload
(defun jobline-cancel (id)
  "Cancel the task with ID."
  (interactive (list (jobline--id "Cancel: " "running" "queued")))
  (setq jobline--told-down nil)
  (jobline--call "cancel" (list :id id :reason "cancelled in Emacs")
                 (lambda (result)
                   (jobline--say "%s" (pcase (plist-get result :outcome)
                                        ("alreadyFinished" "the task has already ended")
                                        ("cancelling" "the task was told to stop")
                                        (_ "the task is cancelled"))))))

;;;; The buffer of a task

(defvar-local jobline--task nil "What is known of the task, a plist.")
(defvar-local jobline--subscription nil "Whether events of output come to this buffer.")
(defvar-local jobline--held 'none "Events that wait for the past, newest first, or `none'.")
(defvar-local jobline--next nil "Offsets behind what was shown, by stream, a plist.")
(defvar-local jobline--first nil "Offsets of what was shown first, by stream, a plist.")
(defvar-local jobline--pending nil "Texts that are to be shown, in order.")
(defvar-local jobline--carry "" "The end of a text that may be half a sequence.")
(defvar-local jobline--count 0 "How many lines the buffer has.")

(defvar jobline-task-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-k") #'jobline-cancel)
    (define-key map "g" #'jobline-again)
    (define-key map "<" #'jobline-load-earlier)
    (define-key map "l" #'jobline-list)
    map)
  "Keys in the buffer of a task, beside those of `compilation-mode'.")

(define-derived-mode jobline-task-mode compilation-mode "Jobline"
  "Mode of the buffer that shows the output of a task.
\\{jobline-task-mode-map}"
  (setq font-lock-defaults '(nil t)     ; messages are parsed in small steps by a timer
        buffer-undo-list t)
  (setq-local ansi-color-apply-face-function #'ansi-color-apply-text-property-face)
  (setq-local revert-buffer-function (lambda (&rest _) (jobline-again jobline--task-id))))

(defun jobline--in-buffer (id function)
  "Call FUNCTION in the buffer of the task with ID, if there is one."
  (let ((buffer (gethash id jobline--buffers)))
    (when (buffer-live-p buffer) (with-current-buffer buffer (funcall function)))))

(defun jobline--merge (news)
  "Take NEWS of this buffer's task, and show them in mode line and header."
  (while news (setq jobline--task (plist-put jobline--task (pop news) (pop news))))
  (let ((input (plist-get jobline--task :input)))
    (when (and (listp input) (stringp (plist-get input :dir)) (file-directory-p (plist-get input :dir)))
      (setq default-directory (file-name-as-directory (plist-get input :dir)))))
  (setq header-line-format (string-replace "%" "%%" (concat " " (jobline--name jobline--task)))
        mode-line-process (concat ":" (jobline--outcome jobline--task)))
  (force-mode-line-update))

(defun jobline--buffer (task)
  "The buffer of TASK, which is made and filled where there is none."
  (let* ((id (plist-get task :id)) (buffer (gethash id jobline--buffers)))
    (unless (buffer-live-p buffer)
      (setq buffer (generate-new-buffer (format "*jobline %s*" (substring id -8))))
      (puthash id buffer jobline--buffers)
      (with-current-buffer buffer
        (jobline-task-mode)
        (setq jobline--task-id id)
        (add-hook 'kill-buffer-hook #'jobline--forget nil t)
        (jobline--merge task)
        (jobline--open-output)))
    buffer))

(defun jobline--forget ()
  "Ask for no more output of the task whose buffer is killed."
  (remhash jobline--task-id jobline--buffers)
  (when (and (stringp jobline--subscription) (process-live-p jobline--process))
    (jobline--write "unsubscribe" (list :subscription jobline--subscription) #'ignore #'ignore)))

(defun jobline--open-output ()
  "Ask for the output of this buffer's task: what is to come, and what was."
  (let ((buffer (current-buffer)) (id jobline--task-id))
    (setq jobline--held nil)
    (jobline--call "subscribe" (list :ids (vector id) :events ["output"])
                   (lambda (result) (when (buffer-live-p buffer)
                                      (with-current-buffer buffer
                                        (setq jobline--subscription (plist-get result :subscription))))))
    (jobline--call "status" (list :id id :includeInput t)
                   (lambda (task)
                     (when (and (plist-get task :finishedAt) (gethash id jobline--own))
                       (jobline--finished task)) ; before it was known to be one of this Emacs
                     (jobline--in-buffer id (lambda ()
                                              (puthash id (plist-get task :input) jobline--inputs)
                                              (jobline--merge task)
                                              (jobline--flush-soon 0.01)))))
    (jobline--fetch nil)))

(defun jobline--fetch (before)
  "Ask for the output behind what was shown, or that before the offsets BEFORE."
  (let* ((id jobline--task-id) (limit (if before 524288 1048576)) (replies nil))
    (dolist (stream '(:stdout :stderr :log))
      (let ((offset (cond (before (max 0 (- (plist-get before stream) limit))) (t (plist-get jobline--next stream)))))
        (jobline--call
         "output" `(:id ,id :stream ,(substring (symbol-name stream) 1)
                    :limit ,(if before (max 1 (- (plist-get before stream) offset)) limit)
                    ,@(if offset (list :offset offset) '(:tailBytes 131072)))
         (lambda (piece)
           (setq replies (plist-put replies stream piece))
           (when (= (length replies) 6)
             (jobline--in-buffer id (lambda () (jobline--fetched replies before))))))))))

(defun jobline--bytes (piece)
  "The data of PIECE, a result of the method output or a task/output, as bytes."
  (let ((data (or (plist-get piece :data) "")))
    (if (equal (plist-get piece :encoding) "base64") (base64-decode-string data)
      (encode-coding-string data 'utf-8-unix))))

(defun jobline--ordering-p ()
  "Whether the stream log is the order of the others, and is not to be shown."
  (let ((input (plist-get jobline--task :input)))
    (and (equal "exec" (plist-get jobline--task :type)) (listp input) (equal "ordered" (plist-get input :stderr)))))

(defun jobline--ordered (pieces before)
  "The text of PIECES, stdout and stderr in the order in which they came.
What the task has logged follows, where log does not tell their order.  All
ends at the offsets BEFORE, if any: a piece that begins later than it was
asked for reaches beyond."
  (let ((log (jobline--bytes (plist-get pieces :log))) (at nil) (data nil) (texts nil))
    (dolist (stream '(:stdout :stderr :log))
      (setq at (plist-put at stream (plist-get (plist-get pieces stream) :offset))
            data (plist-put data stream (jobline--bytes (plist-get pieces stream)))))
    (let ((take (lambda (stream end)
                  (let* ((bytes (plist-get data stream)) (from (plist-get (plist-get pieces stream) :offset))
                         (start (plist-get at stream)) (stop (min end (+ from (length bytes)) (or (plist-get before stream) end))))
                    (when (> stop start)
                      (push (substring bytes (- start from) (- stop from)) texts)
                      (plist-put at stream stop))))))
      (dolist (line (and (jobline--ordering-p) (split-string log "\n" t)))
        (when (string-match "\\`\\(stdout\\|stderr\\) \\([0-9]+\\)\\'" line)
          (funcall take (intern (concat ":" (match-string 1 line))) (string-to-number (match-string 2 line)))))
      (funcall take :stdout most-positive-fixnum)
      (funcall take :stderr most-positive-fixnum)
      (unless (jobline--ordering-p) (funcall take :log most-positive-fixnum)))
    (decode-coding-string (apply #'concat (nreverse texts)) 'utf-8-unix)))

(defun jobline--fetched (pieces before)
  "Show PIECES of the past; those before the offsets BEFORE at the top."
  (dolist (stream '(:stdout :stderr :log))
    (let ((piece (plist-get pieces stream)))
      (when (or before (not (plist-get jobline--next stream)))
        (setq jobline--first (plist-put jobline--first stream (plist-get piece :offset))))
      (unless before
        (setq jobline--next (plist-put jobline--next stream (plist-get piece :nextOffset))))))
  (if before
      (jobline--insert-earlier (jobline--ordered pieces before))
    (jobline--show-later (jobline--ordered pieces nil))
    (if (seq-some (lambda (stream) (>= (- (plist-get (plist-get pieces stream) :nextOffset)
                                          (plist-get (plist-get pieces stream) :offset))
                                       1048000))
                  '(:stdout :stderr :log))
        (jobline--fetch nil)
      (let ((held (nreverse (if (listp jobline--held) jobline--held))))
        (setq jobline--held 'none)
        (dolist (event held) (jobline--take-piece event)))
      (jobline--note-top)
      (jobline--flush))))

(defun jobline--take-output (id event)
  "Take in EVENT, a piece of output of the task with ID."
  (jobline--in-buffer id (lambda ()
                           (if (listp jobline--held) (push event jobline--held) (jobline--take-piece event)))))

(defun jobline--take-piece (event)
  "Show the piece of output EVENT, without what was shown already."
  (let* ((stream (intern (concat ":" (plist-get event :stream)))) (offset (plist-get event :offset))
         (next (or (plist-get jobline--next stream) 0)) (data (or (plist-get event :data) ""))
         (raw (equal (plist-get event :encoding) "base64"))
         (size (if raw (length (base64-decode-string data)) (string-bytes data))))
    (unless (and (eq stream :log) (jobline--ordering-p))
      (when (> offset next)
        (jobline--show-later (format "\n[%d bytes are missing here: the task wrote faster than Emacs reads]\n" (- offset next))))
      (when (> (+ offset size) next)
        (jobline--show-later
         (if (and (not raw) (>= offset next)) data
           (decode-coding-string (substring (jobline--bytes event) (max 0 (- next offset))) 'utf-8-unix)))
        (setq jobline--next (plist-put jobline--next stream (+ offset size)))))))

(defun jobline--show-later (text)
  "Have a timer show TEXT at the end of this buffer."
  (unless (string-empty-p text)
    (setq jobline--pending (nconc jobline--pending (list text)))
    (jobline--flush-soon 0.05)))

(defun jobline--flush-soon (delay)
  "Have a timer show output after DELAY seconds."
  (unless jobline--flush-timer
    (setq jobline--flush-timer (run-at-time delay nil #'jobline--flush))))

(defun jobline--flush ()
  "Show output that came, for a short time; the rest a moment later."
  (setq jobline--flush-timer nil)
  (let ((until (+ (float-time) jobline--slice)) (gc-cons-threshold (max gc-cons-threshold jobline--garbage)) (more nil)
        ;; What can be seen comes first.
        (buffers (seq-sort-by (lambda (buffer) (if (get-buffer-window buffer t) 0 1)) #'<
                              (seq-filter #'buffer-live-p (hash-table-values jobline--buffers)))))
    (dolist (buffer buffers)
      (with-current-buffer buffer
        (with-demoted-errors "jobline: %S"
          (while (and jobline--pending (< (float-time) until)) (jobline--render (jobline--next-text)))
          (unless jobline--pending (jobline--finish))
          (when (get-buffer-window buffer t) (setq more (or (jobline--parse until) more))))
        (when jobline--pending (setq more t))))
    (when more (jobline--flush-soon 0.005))))

(defun jobline--next-text ()
  "Take what is to be shown next: what came together, but not too much."
  (let ((size 0) texts)
    (while (and jobline--pending (< size 16384))
      (let ((text (pop jobline--pending)))
        (when (> (length text) 16384)
          (push (substring text 16384) jobline--pending)
          (setq text (substring text 0 16384)))
        (setq size (+ size (length text)))
        (push text texts)))
    (apply #'concat (nreverse texts))))

(defun jobline--parse (until)
  "Look for messages of compilers in new lines, but not beyond the time UNTIL.
Answer whether there is more to do."
  (let ((end (save-excursion (goto-char (point-max)) (line-beginning-position))) (inhibit-read-only t))
    (while (and (< (jobline--parsed) end) (< (float-time) until))
      (save-excursion
        (goto-char (min end (+ (jobline--parsed) 2000)))
        (compilation--ensure-parse (min end (line-beginning-position 2)))))
    (< (jobline--parsed) end)))

(defun jobline--parsed ()
  "Up to where messages of compilers were looked for."
  (if (markerp compilation--parsed) (marker-position compilation--parsed) (point-min)))

(defconst jobline--unwanted
  (concat "\e\\[[0-?]*[ -/]*[@-ln-~]"                        ; cursor movement and the like
          "\\|\e\\[[0-?]*[ -/]+m"
          "\\|\e[]PX^_][^\a\e]*\\(?:\a\\|\e\\\\\\)"           ; titles, links and other strings
          "\\|\e[ -/]*[0-OQ-WYZ\\`-~]"
          "\\|[\000-\010\013-\014\016-\032\034-\037\177\u0080-\u009f]")
  "What is removed from output: everything but text and colours.")

(defun jobline--clean (text)
  "TEXT without what a terminal would obey, but for colours and line ends.
The end of a sequence that is not there yet is kept for the next call."
  (setq text (concat jobline--carry text) jobline--carry "")
  (let ((case-fold-search nil))  ; or an m counts as the M among the letters of others
    (when (string-match "\\(?:\r\\|\e\\(?:\\[[0-?]*[ -/]*\\|[]PX^_][^\a\e]\\{0,4096\\}\e?\\)?\\)\\'" text)
      (setq jobline--carry (match-string 0 text) text (substring text 0 (match-beginning 0))))
    (when (string-match-p jobline--unwanted text)
      (setq text (replace-regexp-in-string jobline--unwanted "" text t t)))
    (if (and (< emacs-major-version 29) (string-match-p "\e\\[[0-9;:]*[34]8[;:]" text)) (jobline--basic-colours text) text)))

(defun jobline--last-states (text)
  "TEXT whose lines show what stood behind their last carriage return.
Colours that began before it are kept."
  (replace-regexp-in-string
   "^[^\n]*\r"
   (lambda (gone)
     (let ((at 0) kept)
       (while (string-match "\e\\[[0-9;:]*m" gone at)
         (push (match-string 0 gone) kept)
         (setq at (match-end 0)))
       (apply #'concat (nreverse kept))))
   (replace-regexp-in-string "\r+\n" "\n" text t t) t t))

(defun jobline--basic-colours (text)
  "TEXT whose colours are among the basic 16, which Emacs 28 can show."
  (replace-regexp-in-string
   "\\([34]\\)8[;:]\\(?:5[;:]\\([0-9]+\\)\\|2[;:]\\([0-9]+\\)[;:]\\([0-9]+\\)[;:]\\([0-9]+\\)\\)"
   (lambda (code)
     (let* ((n (and (match-string 2 code) (string-to-number (match-string 2 code))))
            (parts (cond ((not n) (mapcar (lambda (i) (string-to-number (match-string i code))) '(3 4 5)))
                         ((>= n 232) (make-list 3 (+ 8 (* 10 (- n 232)))))
                         ((>= n 16) (mapcar (lambda (by) (* 51 (% (/ (- n 16) by) 6))) '(36 6 1)))))
            (bright (seq-some (lambda (part) (> part 191)) parts))
            (basic (if parts (+ (if bright 8 0) (apply #'+ (cl-mapcar (lambda (part bit) (if (> part 127) bit 0)) parts '(1 2 4)))) n)))
       (number-to-string (+ (if (equal (match-string 1 code) "4") 10 0) (if (< basic 8) 30 82) basic))))
   text t t))

(defun jobline--render (text)
  "Show TEXT at the end of this buffer."
  (setq text (jobline--clean text))
  (let ((inhibit-read-only t) (end (point-max)) (follows (= (point) (point-max)))
        (windows (seq-filter (lambda (window) (= (window-point window) (point-max)))
                             (get-buffer-window-list nil nil t))))
    (save-excursion
      (goto-char end)
      (when (string-search "\r" text)
        (setq text (jobline--last-states-at-end text) end (point)))
      (insert text)
      (when (or ansi-color-context-region (string-search "\e" text))
        (ansi-color-apply-on-region end (point-max))))
    (save-excursion
      (goto-char end)
      (while (search-forward "\n" nil t) (setq jobline--count (1+ jobline--count))))
    (jobline--trim)
    (when follows (goto-char (point-max)))
    (dolist (window windows) (set-window-point window (point-max)))))

(defun jobline--last-states-at-end (text)
  "TEXT as `jobline--last-states' has it, at point behind an unfinished line.
What stands in that line is removed if TEXT returns to its beginning."
  (when (string-match-p "\\`[^\n]*\r[^\n]" text)
    (delete-region (line-beginning-position) (point)))
  (jobline--last-states text))

(defun jobline--trim ()
  "Remove the oldest lines, where there are a tenth more than the limits."
  (when (or (> jobline--count (* 1.1 jobline-max-lines)) (> (buffer-size) (* 1.1 jobline-max-size)))
    (save-excursion
      (goto-char (point-min))
      (forward-line (max 0 (- jobline--count jobline-max-lines)))
      (goto-char (max (point) (- (point-max) jobline-max-size)))
      (unless (bolp) (forward-line 1))
      (setq jobline--count (- jobline--count (count-lines (point-min) (point))) jobline--first nil)
      (let ((inhibit-modification-hooks t))  ; or all the rest would be parsed again
        (delete-region (point-min) (point)))
      (jobline--note-top))))

(defun jobline--note (text)
  "TEXT as a line that the task has not written."
  (propertize (concat text "\n") 'font-lock-face 'jobline-note 'jobline-note t))

(defun jobline--hidden ()
  "How many bytes the task has written before the first line of this buffer."
  (+ (plist-get jobline--first :stdout) (plist-get jobline--first :stderr)
     (if (jobline--ordering-p) 0 (plist-get jobline--first :log))))

(defun jobline--note-top ()
  "Say in the first line whether there is output before it."
  (let ((inhibit-read-only t) (inhibit-modification-hooks t))
    (save-excursion
      (goto-char (point-min))
      (when (and (get-text-property (point) 'jobline-note) (looking-at-p "\\[Earlier"))
        (delete-region (point) (line-beginning-position 2))
        (setq jobline--count (1- jobline--count)))
      (when (or (not jobline--first) (> (jobline--hidden) 0))
        (insert-before-markers
         (jobline--note (if jobline--first "[Earlier output is not shown; < loads it]"
                          (format "[Earlier output was removed; jobline logs %s has what is kept]" jobline--task-id))))
        (setq jobline--count (1+ jobline--count))))))

(defun jobline-load-earlier ()
  "Load the output before the first line of this buffer."
  (interactive nil jobline-task-mode)
  (cond ((not jobline--first) (user-error "What was removed stays out of this buffer, which is full"))
        ((= 0 (jobline--hidden))
         (user-error "This is the beginning"))
        (t (jobline--fetch (copy-sequence jobline--first)))))

(defun jobline--insert-earlier (text)
  "Insert TEXT, which was written before, at the top of this buffer."
  (let* ((inhibit-read-only t) (jobline--carry "") (ansi-color-context-region nil)
         (clean (jobline--last-states (jobline--clean text))))
    (if (string-empty-p text) (jobline--say "nothing before this is kept")
      (save-excursion
        (goto-char (point-min))
        (when (looking-at-p "\\[Earlier") (forward-line 1))
        (let ((start (point)))
          (insert clean)
          (ansi-color-apply-on-region start (point))))
      (setq jobline--count (count-lines (point-min) (point-max))))
    (jobline--note-top)))

(defun jobline--finish ()
  "Say at the end of this buffer how its task has ended, once all is shown."
  (when (and (plist-get jobline--task :finishedAt) (eq jobline--held 'none) (not jobline--pending)
             (not (plist-get jobline--task :told)))
    (setq jobline--task (plist-put jobline--task :told t))
    (let ((result (plist-get jobline--task :result)) (start (plist-get jobline--task :startedAt)))
      (jobline--render
       (concat (if (or (= (point-min) (point-max)) (eq (char-before (point-max)) ?\n)) "" "\n")
               (if (and result (not (equal (plist-get jobline--task :type) "exec")))
                   (jobline--note (decode-coding-string (jobline--encode result) 'utf-8)) "")
               (jobline--note
                (concat "[" (jobline--outcome jobline--task)
                        (if start (format " after %s" (jobline--seconds start (plist-get jobline--task :finishedAt))) "") "]")))))
    (jobline--flush-soon 0.01)))

(defun jobline--seconds (from to)
  "The time between FROM and TO, texts of the protocol, in words."
  (let ((seconds (- (float-time (date-to-time to)) (float-time (date-to-time from)))))
    (if (< seconds 60) (format "%.0f s" seconds) (format-seconds "%d d %h h %m min%z" seconds))))

;;;###autoload
(defun jobline-logs (id)
  "Show the output of the task with ID, and what it still writes."
  (interactive (list (jobline--id "Output of: " "running" "queued" "completed" "failed" "cancelled")))
  (setq jobline--told-down nil)
  (pop-to-buffer (jobline--buffer (list :id id :input (gethash id jobline--inputs))))
  (goto-char (point-max)))

;;;; The list

(defvar jobline--list-timer nil "The timer that shows the list anew, or nil.")

(defvar jobline-list-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'jobline-logs)
    (define-key map "k" #'jobline-cancel)
    (define-key map "r" #'jobline-again)
    (define-key map "!" #'jobline-run)
    (define-key map "+" #'jobline-submit)
    map)
  "Keys in the list of tasks, beside those of `tabulated-list-mode'.")

(define-derived-mode jobline-list-mode tabulated-list-mode "Jobline list"
  "Mode of the list of all tasks, which shows them as they change.
\\{jobline-list-mode-map}"
  (setq tabulated-list-format [("Id" 8 t) ("State" 14 t) ("Age" 8 nil) ("Took" 8 nil) ("Owner" 9 t) ("Task" 0 t)]
        tabulated-list-padding 1)
  (setq-local revert-buffer-function (lambda (&rest _) (jobline--list-refresh)))
  (tabulated-list-init-header))

;;;###autoload
(defun jobline-list ()
  "Show all tasks, the newest first, as they change.
\\<jobline-list-mode-map>\\[jobline-logs] shows the output of one, \\[jobline-cancel] cancels it,
\\[jobline-again] runs it again, and \\[describe-mode] lists all keys."
  (interactive)
  (setq jobline--told-down nil)
  (pop-to-buffer (get-buffer-create "*jobline list*"))
  (unless (derived-mode-p 'jobline-list-mode) (jobline-list-mode))
  (jobline--list-refresh))

(defun jobline--list-soon (&optional delay)
  "Show the list anew after DELAY seconds or a moment, if it can be seen."
  (when (and (not jobline--list-timer) (get-buffer-window "*jobline list*" 'visible))
    (setq jobline--list-timer
          (run-at-time (or delay 0.2) nil (lambda ()
                                               (setq jobline--list-timer nil)
                                               (when (and jobline--ready (process-live-p jobline--process))
                                                 (jobline--list-refresh)))))))

(defun jobline--list-refresh ()
  "Ask for the tasks, and show them."
  (when (get-buffer-window "*jobline list*" 'visible)
    (jobline--call "list" (list :limit jobline-list-length) #'jobline--list-show)))

(defun jobline--list-show (result)
  "Show RESULT, the answer to list, and ask for inputs that are not known."
  (let ((tasks (plist-get result :tasks)) (buffer (get-buffer "*jobline list*")) (inputs jobline--inputs))
    (when (> (hash-table-count inputs) (* 10 jobline-list-length)) (clrhash inputs))
    (seq-do (lambda (task)
              (let ((id (plist-get task :id)))
                (when (eq (gethash id inputs 'unknown) 'unknown)
                  (puthash id nil inputs)
                  (jobline--call "status" (list :id id :includeInput t)
                                 (lambda (known) (puthash id (plist-get known :input) inputs) (jobline--list-soon))
                                 #'ignore))))
            tasks)
    (when buffer
      (with-current-buffer buffer
        (setq tabulated-list-entries (mapcar #'jobline--row tasks))
        (tabulated-list-print t t)))
    (jobline--list-soon 1)))

(defun jobline--row (task)
  "The row of TASK in the list."
  (let ((now (format-time-string "%FT%TZ" nil t)) (created (plist-get task :createdAt))
        (started (plist-get task :startedAt)) (state (plist-get task :state)))
    (list (plist-get task :id)
          (vector (substring (plist-get task :id) -8)
                  (propertize (car (split-string (jobline--outcome task) ":"))
                              'face (pcase state ("failed" 'error) ("completed" 'success) ("running" 'warning) (_ 'default)))
                  (jobline--seconds created now)
                  (if started (jobline--seconds started (or (plist-get task :finishedAt) now)) "")
                  (jobline--plain (or (plist-get (plist-get task :labels) :owner) ""))
                  (jobline--name task)))))

;;;; The program's own screens

;;;###autoload
(defun jobline-top ()
  "Run \"jobline top\" in a terminal buffer."
  (interactive)
  (let ((buffer (apply #'make-term "jobline top" jobline-program nil "top" jobline-arguments)))
    (with-current-buffer buffer
      (term-mode)
      (term-char-mode))
    (pop-to-buffer buffer)))

;;;###autoload
(defun jobline-doctor ()
  "Look for what is wrong: with Emacs, the program, the server and its files."
  (interactive)
  (let ((program (executable-find jobline-program)) (inhibit-read-only t))
    (with-current-buffer (get-buffer-create "*jobline doctor*")
      (erase-buffer)
      (special-mode)
      (insert (format "%s  Emacs %s%s\n" (if (json-available-p) "ok   " "fail ") emacs-version
                      (if (json-available-p) "" ": it was built without JSON; install one that has it")))
      (insert (if program (format "ok     program %s\n" program)
                (format "fail   no program %s in `exec-path': install jobline, or set `jobline-program'\n" jobline-program)))
      (insert (if (process-live-p jobline--process) "ok     connected\n"
                (format "warn   not connected%s\n" (let ((words (jobline--last-words))) (if words (concat ": " words) "")))))
      (when program
        (make-process :name "jobline doctor" :buffer (current-buffer) :noquery t :connection-type 'pipe
                      :command `(,program "doctor" ,@jobline-arguments)
                      :filter (lambda (process text)
                                (when (buffer-live-p (process-buffer process))
                                  (with-current-buffer (process-buffer process)
                                    (let ((inhibit-read-only t))
                                      (save-excursion (goto-char (point-max)) (insert text))))))
                      :sentinel #'ignore))
      (display-buffer (current-buffer)))))

(provide 'jobline)
;;; jobline.el ends here
