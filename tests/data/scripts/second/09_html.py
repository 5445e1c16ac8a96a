msg = MIMEMultipart()
msg['From'] = sender_email
msg['To'] = receiver_email
msg['Subject'] = "HTML Email"
body = "<html><body><h1>This is an HTML email</h1></body></html>"
msg.attach(MIMEText(body, 'html'))
